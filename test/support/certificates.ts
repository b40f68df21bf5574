/** Certificates of a test's own authority, made by openssl: for servers on 127.0.0.1 and localhost, and for clients. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/** Makes an authority in `directory`: `name`.crt and `name`.key. */
export function makeAuthority(directory: string, name = 'ca'): Certificate {
  const [certPath, keyPath] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  openssl(['req', '-x509', ...newKey(keyPath), '-out', certPath, '-subj', `/CN=${name}`, '-days', '2']);
  return read(certPath, keyPath);
}

/** Makes a certificate that the authority has signed for a host name or `IP:` address. */
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
