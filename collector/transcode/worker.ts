/**
 * piscina's entry: one transcoder per thread, made with the TranscoderOptions that the pool has as its workerData. All
 * it adds is that the blocks' memory is moved, not copied.
 */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import type { TranscodeTask } from '#collector/run.ts';
import { createTranscoder } from './transcoder.ts';
import type { TranscoderOptions } from './transcoder-options.ts';

const transcode = createTranscoder((workerData as TranscoderOptions | null) ?? undefined);

/** Takes a TranscodeTask and answers a TranscodeResult. The task's request buffers should be in run()'s transferList. */
export default function transcodeTask(task: TranscodeTask): unknown {
  const result = transcode(task);
  return move({
    [transferableSymbol]: [
      ...result.blocks.map(({ bytes }) => bytes.buffer),
      // Requests that wait for totals go back to whoever sends them again.
      ...result.outcomes.flatMap(({ deltaWait }) => deltaWait?.bytes.buffer ?? []),
    ],
    [valueSymbol]: result,
  });
}
