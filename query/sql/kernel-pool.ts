/**
 * Threads that run kernels over slices of series while the main thread reads on.
 *
 * They start with the first large query and end when there is none for a while.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { SliceResult, SliceTask } from './slice-kernel.ts';

/** One core is left to the engine. */
const threadsMax = Math.max(1, Math.min(4, availableParallelism() - 1));
const sliceBytesMinDefault = 4 * 1024 * 1024;
const idleTimeoutMs = 30_000;

export interface KernelPool {
  /** Smaller slices are less work than handing them over. */
  readonly sliceBytesMin: number;
  /** Slices of one query that are under way at a time: what bounds the memory that they take. */
  readonly slicesMax: number;
  /** The memory of the task's blocks is moved to the thread where nothing else lies in it. */
  run(task: SliceTask): Promise<SliceResult>;
  close(): Promise<void>;
}

export function createKernelPool(sliceBytesMin = sliceBytesMinDefault): KernelPool {
  let pool: Piscina<SliceTask, SliceResult> | undefined;
  return {
    sliceBytesMin,
    slicesMax: threadsMax + 1,
    run(task) {
      pool ??= new Piscina<SliceTask, SliceResult>({
        filename: new URL('./kernel-worker.ts', import.meta.url).href,
        minThreads: 0,
        maxThreads: threadsMax,
        idleTimeout: idleTimeoutMs,
      });
      const transferList = task.tables.flatMap((blocks) => blocks.filter(isWhole).map(bufferOf));
      return pool.run(task, { transferList });
    },
    async close() {
      const closing = pool;
      pool = undefined;
      await closing?.close();
    },
  };
}

const bufferOf = ({ buffer }: Uint8Array): ArrayBuffer => buffer as ArrayBuffer;

function isWhole({ buffer, byteLength }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}
