/**
 * Runs conversions: small bodies at once, large ones in threads, so that no request holds the event loop for long.
 *
 * Threads start with the first large body and end when there is none for a while. Both ways run the same function.
 */
import { Piscina } from 'piscina';
import { RefusedError } from '#model/errors.ts';
import type { Conversion, ConversionTask } from './conversion.ts';
import { convert } from './convert.ts';
import type { ConversionOutcome } from './worker.ts';

/** Bodies are converted at 10 to 100 MB/s: the event loop stands still for some milliseconds at most. */
export const inlineBytesMax = 256 * 1024;
const threadsMax = 2;
const idleTimeoutMs = 10_000;

export interface ConverterPool {
  /**
   * Throws RefusedError as convert does. A large body's memory is moved to the thread where nothing else lies in it:
   * the caller must not use task.bytes afterwards.
   */
  convert(task: ConversionTask): Promise<Conversion>;
  /** Lets conversions under way end, and stops the threads. */
  close(): Promise<void>;
}

export function createConverterPool(): ConverterPool {
  let pool: Piscina<ConversionTask, ConversionOutcome> | undefined;
  return {
    async convert(task) {
      if (task.bytes.length <= inlineBytesMax) return convert(task);
      pool ??= new Piscina<ConversionTask, ConversionOutcome>({
        filename: new URL('./worker.ts', import.meta.url).href,
        minThreads: 0,
        maxThreads: threadsMax,
        idleTimeout: idleTimeoutMs,
      });
      const { buffer } = task.bytes;
      const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === task.bytes.byteLength;
      const outcome = await pool.run(task, isWhole ? { transferList: [buffer] } : {});
      if ('refused' in outcome) throw new RefusedError(outcome.refused.message, outcome.refused.status);
      return outcome.conversion;
    },
    async close() {
      const closing = pool;
      pool = undefined;
      await closing?.close();
    },
  };
}
