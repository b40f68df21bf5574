/** Certificates for tests, made by the openssl program: an authority, a server at 127.0.0.1, and a client. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';

interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface TestCertificates {
  readonly authority: string;
  readonly server: KeyPair;
  readonly client: KeyPair;
  clientOptions(hasCertificate: boolean): ConnectionOptions;
}

export function makeCertificates(): TestCertificates {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-certificates-'));
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const pair = (name: string): KeyPair => {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    const out = ['-out', `${name}.pem`, '-days', '2', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...issuer, ...out);
    return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  };
  const [server, client] = [pair('server'), pair('client')];
  const authority = join(directory, 'ca.pem');
  return {
    authority,
    server,
    client,
    clientOptions: (hasCertificate) => ({
      ca: readFileSync(authority),
      ...(hasCertificate ? { cert: readFileSync(client.certificate), key: readFileSync(client.key) } : {}),
    }),
  };
}
