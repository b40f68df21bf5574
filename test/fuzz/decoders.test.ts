/**
 * Goal: no bytes from outside do anything but give a value or a typed error.
 * Method: real inputs, cut at every byte and then damaged at random for as long as there is time. FUZZ_SECONDS sets the
 * time of all decoders together, FUZZ_SEED repeats a run; a failure prints the input as base64.
 */
import { expect, test } from 'vitest';
import { Lcg } from '../support/otlp-generator.ts';
import { decoders, type FuzzedDecoder } from './decoders.ts';
import { mutate } from './mutate.ts';

const seconds = Number(process.env.FUZZ_SECONDS ?? 20);
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const inputBytesMax = 64 * 1024;
const sharePerDecoderMs = (seconds * 1000) / decoders.length;

async function faultOf({ decode, mayThrow }: FuzzedDecoder, bytes: Uint8Array): Promise<string | undefined> {
  try {
    // A decoder that takes its input over must not spoil what is printed.
    await decode(bytes.slice());
    return undefined;
  } catch (error) {
    if (mayThrow.some((allowed) => error instanceof allowed)) return undefined;
    return `${error instanceof Error ? error.stack : String(error)}\nseed ${seed}, input ${Buffer.from(bytes).toString('base64')}`;
  }
}

test.each(decoders)('$name', { timeout: sharePerDecoderMs * 4 + 60_000 }, async (decoder) => {
  const random = new Lcg(seed);
  const inputs = Array.from({ length: 8 }, () => decoder.make(random));
  for (const input of inputs) expect(await faultOf(decoder, input)).toBeUndefined();
  const [first] = inputs;
  for (let length = 0; length < Math.min(first!.length, 2000); length++) {
    expect(await faultOf(decoder, first!.subarray(0, length))).toBeUndefined();
  }
  let count = 0;
  for (const end = Date.now() + sharePerDecoderMs; Date.now() < end || count < 100; count++) {
    const bytes = mutate(random, random.pick(inputs), random.pick(inputs), inputBytesMax);
    const fault = await faultOf(decoder, bytes);
    if (fault !== undefined) expect.fail(fault);
  }
  console.log(`${decoder.name}: ${count} inputs, seed ${seed}`);
});
