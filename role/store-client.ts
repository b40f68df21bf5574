/** Asks a running process about the store whose directory it holds: see query/api/store-operations.ts. */
import { resolve } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { awaitBackup, type BackupProgress } from '#store/operations/backup.ts';
import type { StoreStatus } from '#store/operations/store-status.ts';
import type { SondeConfig } from './config-tables.ts';

/** Sizes are read at once; a store that is busy may take longer. */
const answerMsMax = 30_000;

export class StoreClient {
  readonly #url: string;
  readonly #dataPath: string;

  /** Where a query API is expected. */
  get url(): string {
    return this.#url;
  }

  constructor({ api, store }: SondeConfig) {
    const host = /^(0\.0\.0\.0|::|)$/.test(api.host) ? '127.0.0.1' : api.host;
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${api.port}`;
    this.#dataPath = resolve(store.path);
  }

  /** Whether a process answers that has the very directory that we were asked about. Throws where it answers an error. */
  async holdsDirectory(): Promise<boolean> {
    let response: Response;
    try {
      response = await this.#send('status');
    } catch (error) {
      // Nobody there: the directory itself will say whether it is free.
      if (error instanceof ConfigError) return false;
      throw error;
    }
    // Somebody else's server.
    if (response.status === 404) return false;
    const { dataPath } = (await this.#read(response)) as { dataPath?: string };
    return dataPath === this.#dataPath;
  }

  async status(): Promise<StoreStatus> {
    return ((await this.#ask('status')) as { status: StoreStatus }).status;
  }

  async backup(
    destination: string,
    base: string | undefined,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<BackupProgress> {
    const body = JSON.stringify({ destination, base });
    const { id } = (await this.#ask('backups', body)) as { id: string };
    const ask = async () => (await this.#ask(`backups/${id}`)) as BackupProgress;
    return awaitBackup(ask, { intervalMs: 500, onProgress });
  }

  async #ask(path: string, body?: string): Promise<unknown> {
    return this.#read(await this.#send(path, body));
  }

  async #read(response: Response): Promise<unknown> {
    const answer = (await response.json().catch(() => ({}))) as { error?: string };
    if (response.ok) return answer;
    throw new ConfigError(`${this.#url} answers ${response.status}: ${answer.error ?? response.statusText}`);
  }

  async #send(path: string, body?: string): Promise<Response> {
    try {
      return await fetch(`${this.#url}/sonde/api/v1/store/${path}`, {
        signal: AbortSignal.timeout(answerMsMax),
        ...(body === undefined
          ? {}
          : { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
      });
    } catch (error) {
      throw new ConfigError(`nobody answers at ${this.#url}: ${errorMessage(error)}`, { cause: error });
    }
  }
}
