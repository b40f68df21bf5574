/**
 * Goal: no bytes from outside do anything but give a value or a typed error.
 * Method: real inputs, cut at every byte and then damaged at random for as long as there is time. FUZZ_SECONDS sets the
 * time of all decoders together, FUZZ_SEED repeats a run; a failure prints the input as base64.
 */
import { expect, test } from 'vitest';
import { Lcg } from '../support/lcg.ts';
import { decoders } from './decoders.ts';
import type { FuzzedDecoder } from './fuzzed-decoder.ts';
import { mutate } from './mutate.ts';

const seconds = Number(process.env.FUZZ_SECONDS ?? 20);
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const inputBytesMax = 64 * 1024;
const sharePerDecoderMs = (seconds * 1000) / decoders.length;

/** Returns 'value' or 'refused', or else what went wrong. */
async function outcomeOf({ decode, mayThrow }: FuzzedDecoder, bytes: Uint8Array): Promise<string> {
  try {
    // A decoder that takes its input over must not spoil what is printed.
    await decode(bytes.slice());
    return 'value';
  } catch (error) {
    if (mayThrow.some((allowed) => error instanceof allowed)) return 'refused';
    return `${error instanceof Error ? error.stack : String(error)}\nseed ${seed}, input ${Buffer.from(bytes).toString('base64')}`;
  }
}

test.each(decoders)('$name', { timeout: sharePerDecoderMs * 4 + 60_000 }, async (decoder) => {
  const random = new Lcg(seed);
  const inputs = Array.from({ length: 8 }, () => decoder.make(random));
  const good = await Promise.all(inputs.map((input) => outcomeOf(decoder, input)));
  expect(new Set(good)).toEqual(new Set(['value']));
  const [first] = inputs;
  for (let length = 0; length < Math.min(first!.length, 2000); length++) {
    expect(await outcomeOf(decoder, first!.subarray(0, length))).toMatch(/^(value|refused)$/);
  }
  let count = 0;
  let refusedCount = 0;
  for (const end = Date.now() + sharePerDecoderMs; Date.now() < end || count < 100; count++) {
    const bytes = mutate(random, random.pick(inputs), random.pick(inputs), inputBytesMax);
    const outcome = await outcomeOf(decoder, bytes);
    if (outcome === 'refused') refusedCount++;
    else if (outcome !== 'value') expect.fail(outcome);
  }
  console.log(`${decoder.name}: ${count} inputs, ${refusedCount} refused, seed ${seed}`);
});
