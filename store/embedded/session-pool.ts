/**
 * Lends sessions, one borrower each, opened when they are first needed. Borrowers queue in order of arrival.
 */
import { closedError } from '../clickhouse-error.ts';
import { StoreError } from '../store.ts';
import type { EngineSession } from './engine-session.ts';

export interface SessionPoolOptions {
  /** For messages: "query". */
  readonly name: string;
  readonly sessionCountMax: number;
  /** Borrowers beyond this are refused at once: a longer queue only turns a slow store into a full memory. */
  readonly waiterCountMax: number;
  readonly open: () => Promise<EngineSession>;
}

interface Waiter {
  readonly resolve: (session: EngineSession) => void;
  readonly reject: (error: unknown) => void;
}

export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #idle: EngineSession[] = [];
  readonly #all = new Set<EngineSession>();
  readonly #waiters: Waiter[] = [];
  #openingCount = 0;
  #closed = false;

  get name(): string {
    return this.#options.name;
  }

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /** Returns a session that must be given back by release(). `abort` ends the wait and rejects with its reason. */
  async acquire(abort?: AbortSignal): Promise<EngineSession> {
    if (this.#closed) throw closedError();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size + this.#openingCount < this.#options.sessionCountMax) return this.#open();
    if (this.#waiters.length >= this.#options.waiterCountMax) {
      throw new StoreError(`${this.#waiters.length} calls already wait for a ${this.#options.name} session`, {
        retryable: true,
      });
    }
    return this.#wait(abort);
  }

  release(session: EngineSession): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#idle.push(session);
    else waiter.resolve(session);
  }

  /** Closes a session that was lent, instead of taking it back. A waiter gets a new one. */
  discard(session: EngineSession): void {
    this.#all.delete(session);
    session.close();
    this.#openForWaiter();
  }

  /** One that could not be opened leaves room for another: each waiter gets a session or an error. */
  #openForWaiter(): void {
    const waiter = this.#closed ? undefined : this.#waiters.shift();
    if (waiter === undefined) return;
    this.#open().then(waiter.resolve, (error: unknown) => {
      waiter.reject(error);
      this.#openForWaiter();
    });
  }

  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedError());
    for (const session of this.#all) session.close();
    this.#all.clear();
    this.#idle.length = 0;
  }

  async #open(): Promise<EngineSession> {
    this.#openingCount++;
    try {
      const session = await this.#options.open();
      this.#all.add(session);
      return session;
    } finally {
      this.#openingCount--;
    }
  }

  #wait(abort?: AbortSignal): Promise<EngineSession> {
    return new Promise((resolve, reject) => {
      const stopListening = () => abort?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        resolve: (session) => {
          stopListening();
          resolve(session);
        },
        reject: (error) => {
          stopListening();
          reject(error);
        },
      };
      const onAbort = () => {
        const index = this.#waiters.indexOf(waiter);
        if (index !== -1) this.#waiters.splice(index, 1);
        waiter.reject(abort?.reason);
      };
      abort?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }
}
