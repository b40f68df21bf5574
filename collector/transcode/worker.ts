/** piscina's entry: one transcoder per thread. All it adds is that the blocks' memory is moved, not copied. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { TranscodeTask } from '#collector/run.ts';
import { createTranscoder } from './transcoder.ts';

const transcode = createTranscoder();

/** Takes a TranscodeTask and answers a TranscodeResult. The task's request buffers should be in run()'s transferList. */
export default function transcodeTask(task: TranscodeTask): unknown {
  const result = transcode(task);
  return move({
    [transferableSymbol]: result.blocks.map(({ bytes }) => bytes.buffer),
    [valueSymbol]: result,
  });
}
