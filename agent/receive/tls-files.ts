/** Certificates of a listener, from files. */
import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { ConfigError, errorMessage } from '#model/errors.ts';

/** A handshake that takes longer is no client of ours. */
const handshakeTimeoutMs = 10_000;

export interface TlsFiles {
  readonly certificatePath: string;
  readonly keyPath: string;
  /** Where it is not empty, clients must have a certificate of one of these authorities. */
  readonly clientAuthorityPath: string;
}

/** `option` is what the files' options begin with, for error texts. Throws ConfigError where a file cannot be read. */
export function readTlsFiles(option: string, files: TlsFiles): TlsOptions {
  const read = (name: string, path: string): Buffer => {
    if (path === '') throw new ConfigError(`${option}.tls_address is set, but ${option}.${name} is not`);
    try {
      return readFileSync(path);
    } catch (error) {
      throw new ConfigError(`${option}.${name}: cannot read ${path}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  };
  return {
    cert: read('tls_certificate_path', files.certificatePath),
    key: read('tls_key_path', files.keyPath),
    handshakeTimeout: handshakeTimeoutMs,
    minVersion: 'TLSv1.2',
    ...(files.clientAuthorityPath === ''
      ? {}
      : {
          ca: read('tls_client_ca_path', files.clientAuthorityPath),
          requestCert: true,
          rejectUnauthorized: true,
        }),
  };
}
