/** A decoder of bytes from outside, with what it may throw, and the one that all signals end in: the transcoder. */
import { type DeltaTotals, newTotals } from '#collector/delta-totals.ts';
import type { RequestOutcome } from '#collector/run.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import type { TranscoderOptions } from '#collector/transcode/transcoder-options.ts';
import { readBlocks } from '#store/native/block-reader.ts';
import type { Signal } from '#wire/envelope.ts';
import type { Lcg } from '../support/lcg.ts';
import { generatorUnixMs } from '../support/otlp-generator.ts';

export interface FuzzedDecoder {
  readonly name: string;
  /** Makes a good input. */
  readonly make: (random: Lcg) => Uint8Array;
  /** Must return, or throw an error that `mayThrow` names. */
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly mayThrow: readonly (new (...args: never[]) => Error)[];
}

export const fuzzContext = {
  nowUnixMs: generatorUnixMs + 5 * 3_600_000,
  oldestUnixMs: Number.NEGATIVE_INFINITY,
  seriesEpoch: 0,
};

/**
 * Returns a function that transcodes one request, delta points with totals of 0 and with their own, and checks that what
 * was refused left nothing behind.
 */
export function createChecked(
  signal: Signal,
  options?: TranscoderOptions,
): (bytes: Uint8Array) => RequestOutcome {
  const transcode = createTranscoder(options);
  const once = (bytes: Uint8Array, deltaTotals?: DeltaTotals): RequestOutcome => {
    const request = { signal, tenant: 'fuzz', bytes, deltaTotals };
    const { outcomes, blocks } = transcode({ requests: [request], ...fuzzContext });
    const [outcome] = outcomes;
    const isStored = outcome!.decodeError === undefined && outcome!.deltaWait === undefined;
    if (!isStored && blocks.length > 0) throw new Error('BUG: a refused request left rows');
    // The engine's own rules for a block, by our reader.
    for (const { parts, rowCount } of blocks) {
      for (const block of readBlocks(Buffer.concat(parts))) {
        if (block.rowCount !== rowCount) throw new Error('BUG: a block has other rows than it says');
      }
    }
    return outcome!;
  };
  return (bytes) => {
    const { deltaWait, ...outcome } = once(bytes);
    if (deltaWait === undefined) return outcome;
    const added = once(deltaWait.bytes.slice(), newTotals(deltaWait.needs));
    const { deltaTotals, decodeError } = added;
    if (deltaTotals === undefined) {
      // What follows the points' values is read only then: exemplars.
      if (decodeError === undefined) throw new Error('BUG: a request has no totals, and no error either');
      return added;
    }
    // Once more on top of its own totals, as if these were of long ago: so totals of all kinds are added to.
    const lastMs = deltaTotals.lastMs.map((ms) => Math.min(ms, 1));
    return once(deltaWait.bytes, { ...deltaTotals, lastMs });
  };
}
