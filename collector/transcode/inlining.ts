/**
 * How much of the transcoders V8 compiles into one piece.
 *
 * A transcoder is one loop over bytes, written as many small functions. V8 puts callees into their caller until these
 * have 920 bytes of bytecode together, which is a tenth of what a record passes through; what is left over is called, and
 * every call reads cursors and buffers from memory anew. With room for all of it a point of OTLP costs a third less, the
 * others an eighth to a fifth (bench/run.ts --transcode). Compiling takes longer, once.
 */
import { setFlagsFromString } from 'node:v8';

const flags = [
  // Of one callee, of all of one caller, and where small ones stop too: default 460, 920, 4600. Twice as much again
  // gains nothing.
  '--max-inlined-bytecode-size=1500',
  '--max-inlined-bytecode-size-cumulative=9000',
  '--max-inlined-bytecode-size-absolute=20000',
];

/** Holds for the whole process, for what is compiled from then on. */
export function inlineTranscoders(): void {
  for (const flag of flags) setFlagsFromString(flag);
}
