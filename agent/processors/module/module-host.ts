/**
 * One module and its thread: starts it, gives it batches, ends it when it fails or takes too long, and starts it again
 * after a pause that doubles.
 *
 * Invariant: process() settles within timeoutMs. While the thread is not there, it fails at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { Backoff } from '#wire/backoff.ts';
import type { ModuleMessage, ModuleSetup, ProcessCounts, ProcessRequest } from './module-messages.ts';

export interface ModuleHostOptions extends ModuleSetup {
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** Told when the thread was ended, and '' when it is there again. */
  readonly onProblem: (problem: string) => void;
}

export interface ModuleResult {
  readonly bytes: Uint8Array;
  readonly counts: ProcessCounts;
  readonly records: readonly number[];
}

/** Loading reads files and compiles: a module that takes longer hangs. */
const loadMsMax = 10_000;

interface Job {
  readonly id: number;
  readonly done: PromiseWithResolvers<ModuleResult>;
}

export class ModuleHost {
  readonly #options: ModuleHostOptions;
  readonly #backoff = new Backoff({ firstMs: 1000, maxMs: 60_000 });
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;
  #job: Job | undefined;
  #nextId = 1;
  #problem = '';
  #restarting: Promise<void> | undefined;

  private constructor(options: ModuleHostOptions) {
    this.#options = options;
  }

  /** Rejects with ConfigError, which names the file and its line, for a module that cannot be loaded. */
  static async start(options: ModuleHostOptions): Promise<ModuleHost> {
    const host = new ModuleHost(options);
    await host.#load();
    return host;
  }

  /** Why the module does not run now; '' where it does. */
  get problem(): string {
    return this.#problem;
  }

  /** Must not be called again before it settled. Rejects where the module fails, takes too long, or is not there. */
  async process(bytes: Uint8Array, isMeant: readonly boolean[]): Promise<ModuleResult> {
    const worker = this.#worker;
    if (worker === undefined) throw new Error(this.#problem);
    const job = { id: this.#nextId++, done: Promise.withResolvers<ModuleResult>() };
    this.#job = job;
    const { timeoutMs } = this.#options;
    const timer = setTimeout(
      () => this.#fail(worker, `took longer than ${timeoutMs} ms for a batch`),
      timeoutMs,
    );
    worker.postMessage({ id: job.id, bytes, isMeant } satisfies ProcessRequest);
    try {
      const result = await job.done.promise;
      this.#backoff.reset();
      return result;
    } finally {
      clearTimeout(timer);
      this.#job = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    await this.#restarting;
  }

  async #load(): Promise<void> {
    const { path, options, memoryMb } = this.#options;
    const worker = new Worker(new URL('./module-worker.ts', import.meta.url), {
      workerData: { path, options } satisfies ModuleSetup,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    const loaded = Promise.withResolvers<void>();
    const refuse = (reason: string): void => loaded.reject(new ConfigError(reason));
    const timer = setTimeout(() => refuse(`${path}: loading took longer than ${loadMsMax} ms`), loadMsMax);
    worker.on('message', (message: ModuleMessage) => {
      if (message.kind === 'ready') loaded.resolve();
      else if (message.kind === 'refused') refuse(message.reason);
      else this.#take(worker, message);
    });
    worker.on('error', (error) => {
      refuse(`${path}: ${errorMessage(error)}`);
      this.#fail(worker, errorMessage(error));
    });
    worker.on('exit', () => {
      refuse(`${path}: the module ended its thread`);
      this.#fail(worker, 'ended its thread');
    });
    try {
      await loaded.promise;
    } catch (error) {
      await worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    if (this.#stopping.signal.aborted) await worker.terminate();
    else this.#worker = worker;
  }

  #take(worker: Worker, message: Extract<ModuleMessage, { id: number }>): void {
    const job = this.#job;
    if (job === undefined || job.id !== message.id) return;
    if (message.kind === 'done') job.done.resolve(message);
    else this.#fail(worker, message.reason);
  }

  /** Ends the thread, fails the batch that it has, and plans the next start. */
  #fail(worker: Worker, reason: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    this.#setProblem(`log processor ${this.#options.path}: ${reason}`);
    this.#job?.done.reject(new Error(this.#problem));
    this.#restarting = worker.terminate().then(() => this.#restart());
  }

  async #restart(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // Stopping ends the pause.
      await delay(this.#backoff.nextMs(), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#load();
        this.#setProblem('');
        return;
      } catch (error) {
        this.#setProblem(`log processor ${errorMessage(error)}`);
      }
    }
  }

  #setProblem(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}
