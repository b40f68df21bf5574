/** Certificates of a test's own authority, made by openssl: for servers on 127.0.0.1 and localhost, and for clients. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { hasTool } from './debian-tool.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/** An authority, a server at 127.0.0.1 and localhost, and a client. */
export interface TestCertificates {
  readonly authority: Certificate;
  readonly server: Certificate;
  readonly client: Certificate;
  clientOptions(hasCertificate: boolean): ConnectionOptions;
}

/** False where this machine has no openssl, which it says: a test that needs certificates must skip. Throws in CI. */
export function hasOpenssl(): boolean {
  return hasTool('openssl', 'openssl', 'version');
}

/** Makes all that a server and its clients need, in a directory of its own. */
export function makeCertificates(): TestCertificates {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-certificates-'));
  const authority = makeAuthority(directory);
  const [server, client] = ['server', 'client'].map((name) =>
    makeCertificate(directory, authority, name, 'IP:127.0.0.1,DNS:localhost'),
  ) as [Certificate, Certificate];
  return {
    authority,
    server,
    client,
    clientOptions: (hasCertificate) => ({
      ca: authority.cert,
      ...(hasCertificate ? { cert: client.cert, key: client.key } : {}),
    }),
  };
}

/** Makes an authority in `directory`: `name`.crt and `name`.key. */
export function makeAuthority(directory: string, name = 'ca'): Certificate {
  const [certPath, keyPath] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  openssl(['req', '-x509', ...newKey(keyPath), '-out', certPath, '-subj', `/CN=${name}`, '-days', '2']);
  return read(certPath, keyPath);
}

/** Makes a certificate that the authority has signed for alternative names such as `DNS:db.example` or `IP:127.0.0.1`. */
export function makeCertificate(
  directory: string,
  authority: Certificate,
  name: string,
  altName: string,
): Certificate {
  const [certPath, keyPath] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const [requestPath, extensionPath] = [join(directory, `${name}.csr`), join(directory, `${name}.ext`)];
  openssl(['req', ...newKey(keyPath), '-out', requestPath, '-subj', `/CN=${name}`]);
  writeFileSync(extensionPath, `subjectAltName=${altName}\n`);
  openssl([
    ...['x509', '-req', '-in', requestPath, '-CA', authority.certPath, '-CAkey', authority.keyPath],
    ...['-CAcreateserial', '-out', certPath, '-days', '2', '-extfile', extensionPath],
  ]);
  return read(certPath, keyPath);
}

function newKey(keyPath: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyPath];
}

function read(certPath: string, keyPath: string): Certificate {
  return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8'), certPath, keyPath };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
