/** piscina's entry: a slice in a thread. What it makes is moved, not copied. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { runSlice, type SliceTask } from './slice-kernel.ts';

/** Takes a SliceTask, whose blocks should be in run()'s transferList, and answers a SliceResult. */
export default function work(task: SliceTask): unknown {
  const result = runSlice(task);
  const transferable = Object.values(result).map(({ buffer }) => buffer as ArrayBuffer);
  return move({ [transferableSymbol]: transferable, [valueSymbol]: result });
}
