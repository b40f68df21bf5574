/**
 * TLS options from files, read again when the files change: certificates are renewed while a process runs. Each new
 * connection asks; connections that exist go on, as brokers look at a certificate once.
 */
import { readFileSync, statSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { ConfigError, errorMessage } from '#model/errors.ts';

export interface TlsPaths {
  /** PEM; '' for the authorities that Node knows. */
  readonly caPath: string;
  /** PEM of the client's certificate and its key; both '' for none. */
  readonly certPath: string;
  readonly keyPath: string;
}

interface TlsLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Begins the message of every ConfigError of `current`. */
export const tlsFilesFault = 'TLS files cannot be used';

export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #log: TlsLog;
  #version = '';
  #options: ConnectionOptions | undefined;

  /** Throws ConfigError where only one of certificate and key is given. The files are read when they are needed. */
  constructor(paths: TlsPaths, log: TlsLog) {
    if ((paths.certPath === '') !== (paths.keyPath === '')) {
      throw new ConfigError(
        'kafka.tls.cert_path and kafka.tls.key_path belong together: give both, or neither',
      );
    }
    this.#paths = paths;
    this.#log = log;
  }

  /**
   * Returns what the files say now. Files that cannot be used, such as a new certificate whose key is not there yet, leave
   * the last good ones in force; throws ConfigError, with the file, where there were none.
   */
  current(): ConnectionOptions {
    let version = '';
    try {
      version = this.#look();
      if (this.#options !== undefined && version === this.#version) return this.#options;
      const read = this.#read();
      // Throws where certificate and key do not belong together.
      createSecureContext(read);
      if (this.#options !== undefined) {
        this.#log.info(
          { ...this.#paths },
          'kafka: certificates have changed and are used for new connections',
        );
      }
      this.#options = read;
    } catch (error) {
      const fact = `kafka: ${tlsFilesFault}: ${errorMessage(error)} (${this.#names()})`;
      if (this.#options === undefined) throw new ConfigError(fact, { cause: error });
      if (version !== this.#version) this.#log.warn({}, `${fact}; the last good ones stay in force`);
    }
    this.#version = version;
    return this.#options;
  }

  #look(): string {
    return Object.values(this.#paths)
      .filter((path) => path !== '')
      .map((path) => {
        const { mtimeMs, size, ino } = statSync(path);
        return `${ino}/${mtimeMs}/${size}`;
      })
      .join(' ');
  }

  #read(): ConnectionOptions {
    const { caPath, certPath, keyPath } = this.#paths;
    return {
      ...(caPath === '' ? {} : { ca: readFileSync(caPath) }),
      ...(certPath === '' ? {} : { cert: readFileSync(certPath), key: readFileSync(keyPath) }),
    };
  }

  #names(): string {
    const names = { 'kafka.tls.ca_path': this.#paths.caPath, 'kafka.tls.cert_path': this.#paths.certPath };
    return Object.entries(names)
      .filter(([, path]) => path !== '')
      .map(([name, path]) => `${name} ${path}`)
      .join(', ');
  }
}
