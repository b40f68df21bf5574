/**
 * One transcoding thread, from the main thread's side: typed calls, in the order in which they are made.
 *
 * Open blocks live in the thread. Where it dies, another takes its place without them, so that every answer says which
 * thread gave it: GroupCommit compares.
 */
import { Piscina } from 'piscina';
import { UnavailableError } from '#model/errors.ts';
import type { NativeBlock } from '#store/store.ts';
import type { Family, LandedIn, OpenBlocks, RunRequest } from './run.ts';
import type { TranscodeContext } from './transcode/transcoder.ts';
import type { TranscoderOptions } from './transcode/transcoder-options.ts';
import type { Slot, WorkerReply, WorkerTask } from './transcode/worker.ts';

/** A thread that has had nothing to do for so long gives its spare memory back. */
const trimIdleMs = 10_000;

export interface OpenReply extends OpenBlocks {
  readonly threadId: number;
}

export interface TakeReply {
  readonly threadId: number;
  readonly blocks: readonly NativeBlock[];
  readonly requestCount: number;
}

export class WorkerLane {
  readonly #thread: Piscina<WorkerTask, WorkerReply>;
  readonly #releases = new Set<Promise<unknown>>();
  readonly #trim = setTimeout(() => this.#release({ kind: 'trim' }), trimIdleMs).unref();
  /** Requests of open groups: where new ones go is decided by it. */
  openBytes = 0;

  constructor(options: TranscoderOptions) {
    this.#thread = new Piscina<WorkerTask, WorkerReply>({
      filename: new URL('./transcode/worker.ts', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      // A thread that ends would forget its open blocks, and which series it has announced.
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData: options,
    });
  }

  /** Hands the requests' memory over to the thread. */
  async append(slot: Slot, requests: readonly RunRequest[], context: TranscodeContext): Promise<OpenReply> {
    const owned = requests.map((request) => ({ ...request, bytes: movableBytes(request) }));
    const transferList = owned.map(({ bytes }) => bytes.buffer as ArrayBuffer);
    const { threadId, open } = await this.#run(
      { kind: 'append', slot, requests: owned, context },
      transferList,
    );
    return { threadId, ...open! };
  }

  async again(
    slot: Slot,
    family: Family,
    landed: ReadonlyMap<string, LandedIn>,
    context: TranscodeContext,
  ): Promise<OpenReply> {
    const { threadId, open } = await this.#run({ kind: 'again', slot, family, landed, context });
    return { threadId, ...open! };
  }

  async take(slot: Slot, family: Family): Promise<TakeReply> {
    const { threadId, blocks, requestCount } = await this.#run({ kind: 'take', slot, family });
    return { threadId, blocks: blocks!, requestCount: requestCount! };
  }

  /** Drops the open blocks of a group that failed. */
  async discard(slot: Slot, family: Family): Promise<void> {
    await this.#run({ kind: 'discard', slot, family });
  }

  /** Gives the memory of blocks back that nobody reads any more. */
  recycle(blocks: readonly NativeBlock[]): void {
    const buffers = [
      ...new Set(blocks.flatMap(({ parts }) => parts.map(({ buffer }) => buffer as ArrayBuffer))),
    ];
    this.#release({ kind: 'recycle', buffers }, buffers);
  }

  async close(): Promise<void> {
    clearTimeout(this.#trim);
    // A thread that is destroyed must not have an answer on its way.
    await Promise.all(this.#releases);
    await this.#thread.destroy();
  }

  /** Memory only: that it does not come back is no harm. */
  #release(task: WorkerTask, transferList: ArrayBuffer[] = []): void {
    const released: Promise<unknown> = this.#thread
      .run(task, { transferList })
      .catch(() => undefined)
      .finally(() => this.#releases.delete(released));
    this.#releases.add(released);
  }

  async #run(task: WorkerTask, transferList: ArrayBuffer[] = []): Promise<WorkerReply> {
    this.#trim.refresh();
    try {
      return await this.#thread.run(task, { transferList });
    } catch (error) {
      if (!isThreadLoss(error)) throw error;
      throw lostThread(error);
    }
  }
}

export function lostThread(cause?: unknown): UnavailableError {
  return new UnavailableError('a transcoding thread ended before its work was done: come again', { cause });
}

/** The thread ended (out of memory, killed): that says nothing about the request. */
function isThreadLoss(error: unknown): boolean {
  return (
    error instanceof Error &&
    ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ||
      error.message.startsWith('worker exited with code'))
  );
}

/** Bytes in a buffer that may be handed to a thread: one that others may see is copied. */
function movableBytes({ bytes, isMovable }: RunRequest): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.resizable) return new Uint8Array(bytes);
  const isWhole = byteOffset === 0 && byteLength === buffer.byteLength;
  return isMovable || isWhole ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
}
