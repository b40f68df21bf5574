/**
 * Goal: what is encoded as Prometheus's chunks is read back bit by bit. Method: fixed bytes, a reader that is written
 * from the description, and random columns (seeded). That a real Prometheus reads them is in test/e2e.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FloatHistogram } from '#query/promql/histogram/float-histogram.ts';
import { noBuckets } from '#query/promql/histogram/float-histogram.ts';
import { encodeHistogramChunks } from '#query/remote-read/histogram-chunk.ts';
import { encodeSampleChunks } from '#query/remote-read/sample-chunk.ts';
import { type ReadSample, readHistogramChunk, readSampleChunk } from './chunk-reader.ts';

const seed = 20260101;

function bitsOf(values: Float64Array): string[] {
  const words = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  return [...words].map((word) => word.toString(16).padStart(16, '0'));
}

function roundTrip(timestamps: Float64Array, values: Float64Array): ReadSample[] {
  return [...encodeSampleChunks(timestamps, values)].flatMap(({ bytes }) => readSampleChunk(bytes));
}

test('three samples are the bytes that the format says', () => {
  const [chunk] = [...encodeSampleChunks(Float64Array.of(1, 16, 31), Float64Array.of(1, 1, 2))];
  // Count 3; time 1 (zigzag 2), 1.0; delta 15, equal; same delta, XOR of 1.0 and 2.0 has 11 bits from the second on.
  const expected = '0003 02 3ff0000000000000 0f';
  const hex = Buffer.from(chunk!.bytes).toString('hex');
  expect(hex.startsWith(expected.replaceAll(' ', ''))).toBe(true);
  expect(chunk).toMatchObject({ firstMs: 1, lastMs: 31, encoding: 1 });
  expect(readSampleChunk(chunk!.bytes).map(({ timeMs }) => timeMs)).toEqual([1, 16, 31]);
});

test('chunks are cut as Prometheus cuts them', () => {
  const times = Float64Array.from({ length: 250 }, (_none, i) => i * 15_000);
  const chunks = [...encodeSampleChunks(times, new Float64Array(250))];
  expect(chunks.map(({ firstMs, lastMs }) => [firstMs / 15_000, lastMs / 15_000])).toEqual([
    [0, 119],
    [120, 239],
    [240, 249],
  ]);
});

test('any times and any bits come back', () => {
  const sample = fc.tuple(
    fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(15_000, 8192, 8193, 65_536, 65_537, 524_288, 524_289, 2 ** 40),
    ),
    fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.constantFrom(0n, 1n, 0x7ff0000000000002n, 1n << 63n),
    ),
  );
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 300 }), (samples) => {
      let time = 1_767_225_600_000;
      const times = Float64Array.from(samples, ([delta]) => (time += delta));
      const values = new Float64Array(BigUint64Array.from(samples, ([, bits]) => bits).buffer);
      const read = roundTrip(times, values);
      expect(read.map(({ timeMs }) => timeMs)).toEqual([...times]);
      expect(read.map(({ bits }) => bits)).toEqual(bitsOf(values));
    }),
    { seed, numRuns: 150 },
  );
});

const base: FloatHistogram = {
  schema: 2,
  resetHint: 'unknown',
  zeroThreshold: 2 ** -128,
  zeroCount: 1,
  count: 10,
  sum: 2.5,
  positive: { indexes: Int32Array.of(-3, -2, 5), counts: Float64Array.of(1, 2, 3) },
  negative: { indexes: Int32Array.of(1), counts: Float64Array.of(3) },
  customBounds: undefined,
};

function encode(...histograms: FloatHistogram[]): ReturnType<typeof readHistogramChunk>[] {
  const timestamps = Float64Array.from(histograms, (_none, i) => 1_767_225_600_000 + i * 15_000);
  return [...encodeHistogramChunks({ timestamps, values: histograms })].map(({ bytes }) =>
    readHistogramChunk(bytes),
  );
}

test('histograms of one layout share a chunk', () => {
  const more = { ...base, resetHint: 'not_reset' as const, count: 20, sum: -1 };
  const [chunk, ...others] = encode(base, more, { ...more, zeroCount: 7 });
  expect(others).toEqual([]);
  expect(chunk!.map(({ timeMs, hint, numbers }) => [timeMs - 1_767_225_600_000, hint, ...numbers])).toEqual([
    [0, 0, 10, 1, 2.5, 1, 2, 3, 3],
    [15_000, 1, 20, 1, -1, 1, 2, 3, 3],
    [30_000, 1, 20, 7, -1, 1, 2, 3, 3],
  ]);
  expect(chunk![0]).toMatchObject({
    schema: 2,
    zeroThreshold: 2 ** -128,
    positive: [
      [-3, 2],
      [6, 1],
    ],
    negative: [[1, 1]],
  });
});

test.each([
  { name: 'a reset', next: { ...base, resetHint: 'reset' as const } },
  { name: 'an unknown', next: base },
  { name: 'a gauge', next: { ...base, resetHint: 'gauge' as const } },
  { name: 'another schema', next: { ...base, resetHint: 'not_reset' as const, schema: 3 } },
  {
    name: 'other buckets',
    next: { ...base, resetHint: 'not_reset' as const, positive: noBuckets },
  },
  { name: 'another zero bucket', next: { ...base, resetHint: 'not_reset' as const, zeroThreshold: 0.01 } },
])('$name begins a chunk', ({ next }) => {
  const chunks = encode(base, next);
  expect(chunks).toHaveLength(2);
  expect(chunks[1]![0]!.hint).toBe({ unknown: 0, not_reset: 1, reset: 2, gauge: 3 }[next.resetHint]);
  expect(chunks[1]![0]!.zeroThreshold).toBe(next.zeroThreshold);
});

test('custom bounds are thousandths where they can be', () => {
  const customBounds = Float64Array.of(-1, 0, 0.005, 2.5, 33_554.43, 33_554.431, 1e9, 1 / 3);
  const [chunk] = encode({
    ...base,
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    negative: noBuckets,
    positive: { indexes: Int32Array.of(0, 8), counts: Float64Array.of(4, 6) },
    customBounds,
  });
  expect(chunk![0]!.bounds).toEqual([...customBounds]);
  expect(chunk![0]!.positive).toEqual([
    [0, 1],
    [7, 1],
  ]);
});
