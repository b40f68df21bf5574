/**
 * Goal: ids are stable, differ where labels differ, and use all 64 bits.
 * Method: fixed values (the ids are stored: a change must be noticed), a few hundred thousand near-equal inputs, and
 * the share of output bits that one input bit turns over.
 */
import { expect, test } from 'vitest';
import { Hash64 } from '#collector/transcode/byte-hash.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';

const hash = new Hash64();

function hashOf(bytes: Uint8Array): bigint {
  hash.begin();
  hash.addRange(new ByteView(bytes), 0, bytes.length);
  hash.finish();
  return (BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0);
}

const text = (value: string) => new Uint8Array(Buffer.from(value, 'latin1'));

test.each([
  ['', 'a530dfad3881a31f'],
  ['a', '8f8f107b7bcfee6f'],
  ['__name__\xffup\xffjob\xffnode\xff', '5bf4f8a4ff355185'],
])('the hash of %j stays what it is: it is stored', (value, expected) => {
  expect(hashOf(text(value)).toString(16)).toBe(expected);
});

test('near-equal label sets have different hashes, also in either half', () => {
  const count = 200_000;
  const whole = new Set<bigint>();
  const lows = new Set<number>();
  const highs = new Set<number>();
  for (let i = 0; i < count; i++) {
    whole.add(
      hashOf(text(`__name__\xffhttp_requests_total\xffinstance\xff10.0.${i >> 8}.${i & 255}:9100\xff`)),
    );
    lows.add(hash.low);
    highs.add(hash.high);
  }
  expect(whole.size).toBe(count);
  // Random 32-bit values: count^2 / 2^33 = 4.7 repeats are expected.
  expect(count - lows.size).toBeLessThan(25);
  expect(count - highs.size).toBeLessThan(25);
});

test('one input bit turns over about half of the output bits, in each half', () => {
  const base = text('__name__\xffup\xffinstance\xfflocalhost:9090\xffjob\xffnode\xff');
  const before = hashOf(base);
  const flips = Array.from({ length: 64 }, () => 0);
  const inputBits = base.length * 8;
  for (let bit = 0; bit < inputBits; bit++) {
    const changed = base.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    const difference = hashOf(changed) ^ before;
    for (let out = 0; out < 64; out++) if ((difference >> BigInt(out)) & 1n) flips[out]!++;
  }
  for (const flipped of flips) {
    expect(flipped / inputBits).toBeGreaterThan(0.4);
    expect(flipped / inputBits).toBeLessThan(0.6);
  }
});

test('ranges are told apart: "ab" and "c" is not "a" and "bc"', () => {
  const source = new ByteView(text('abc'));
  const split = (at: number) => {
    hash.begin();
    hash.addRange(source, 0, at);
    hash.addRange(source, at, 3 - at);
    hash.finish();
    return [hash.low, hash.high];
  };
  expect(split(2)).not.toEqual(split(1));
});
