/** Native histograms and exemplars as objects for the encoders in naive/, faulty ones among them. */

import type { Lcg } from './lcg.ts';
import type { ProtoObject } from './naive/otlp-proto.ts';

const list = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, i) => make(i));

interface GeneratedSide {
  readonly spans: { offset: number; length: number }[];
  readonly counts: number[];
}

function side(random: Lcg, firstOffset: number): GeneratedSide {
  const spans = list(random.int(4), (i) => ({
    offset: i === 0 ? firstOffset : random.int(5),
    length: random.int(6),
  }));
  const buckets = spans.reduce((sum, { length }) => sum + length, 0);
  return { spans, counts: list(buckets, () => random.int(random.chance(5) ? 1_000_000_000 : 9)) };
}

/** Deltas, as an integer histogram has them. */
function deltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0));
}

/** A remote write Histogram, which one in ten is faulty. */
export function nativeHistogram(random: Lcg, timestamp: number): ProtoObject {
  const isCustom = random.chance(25);
  const isFloat = random.chance(40);
  const positive = side(random, isCustom ? random.int(3) : random.int(40) - 20);
  const negative =
    isCustom || random.chance(50) ? { spans: [], counts: [] } : side(random, random.int(9) - 4);
  const zeroCount = isCustom ? 0 : random.int(4);
  const width = positive.spans.reduce((sum, { offset, length }) => sum + offset + length, 0);
  const total = [...positive.counts, ...negative.counts].reduce((sum, count) => sum + count, zeroCount);
  const hasNaN = random.chance(10);
  const fault = random.chance(10) ? random.int(6) : -1;
  const count = total + (fault === 0 ? 1 : 0) + (hasNaN ? 2 : 0);
  if (fault === 1) positive.spans.push({ offset: 1, length: 1 });
  if (fault === 2) positive.spans.push({ offset: -1, length: 0 });
  const schema = isCustom ? -53 : fault === 3 ? random.pick([-5, 53, 99]) : random.int(20) - 4;
  return {
    ...(isFloat
      ? {
          countFloat: count + 0.5,
          zeroCountFloat: zeroCount + 0.25,
          positiveCounts: positive.counts.map((value) => value / 2),
          negativeCounts: negative.counts,
        }
      : {
          countInt: count,
          zeroCountInt: zeroCount,
          positiveDeltas: deltas(
            fault === 4 && positive.counts.length > 0 ? [-1, ...positive.counts.slice(1)] : positive.counts,
          ),
          negativeDeltas: deltas(negative.counts),
        }),
    ...(isFloat && isCustom ? { zeroCountFloat: 0 } : {}),
    sum: hasNaN ? Number.NaN : random.pick([0, 1.5, -3, Number.POSITIVE_INFINITY]),
    schema,
    ...(isCustom ? {} : { zeroThreshold: random.pick([0, 1e-128, 0.001]) }),
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    ...(random.chance(50) ? { resetHint: random.int(4) } : {}),
    timestamp,
    ...(isCustom || fault === 5
      ? { customValues: list(Math.max(1, width - random.int(2)), (i) => (fault === 5 ? 1 : i * 2.5 - 1)) }
      : {}),
    ...(random.chance(40) ? { startTimestamp: timestamp - 60_000 + random.int(61_000) } : {}),
  };
}

/** An OTLP ExponentialHistogramDataPoint without times and attributes. */
export function exponentialPoint(random: Lcg): ProtoObject {
  const buckets = () => ({
    offset: random.int(60) - 30,
    bucketCounts: list(random.int(20), () => (random.chance(50) ? 0 : random.int(50))),
  });
  const positive = random.chance(80) ? buckets() : undefined;
  const negative = random.chance(30) ? buckets() : undefined;
  const zeroCount = random.int(3);
  const counts = [...(positive?.bucketCounts ?? []), ...(negative?.bucketCounts ?? [])];
  const total = counts.reduce((sum, count) => sum + count, zeroCount);
  return {
    count: total + (random.chance(5) ? 1 : 0),
    ...(random.chance(80) ? { sum: random.pick([0.5, -1, 100]) } : {}),
    scale: random.int(26) - 5,
    zeroCount,
    ...(random.chance(30) ? { zeroThreshold: 0.01 } : {}),
    ...(positive === undefined ? {} : { positive }),
    ...(negative === undefined ? {} : { negative }),
    ...(random.chance(5) ? { flags: 1 } : {}),
    min: 0.1,
    max: 9,
  };
}

/** Labels of an exemplar, the ones that are refused or cut among them. */
export function exemplarLabels(random: Lcg): readonly (readonly [string, string])[] {
  const labels: (readonly [string, string])[] = [];
  const hex = (byteCount: number) => Buffer.from(random.bytes(byteCount)).toString('hex');
  const ids = [
    ['trace_id', hex(16)],
    ['trace_id', hex(16)],
    ['traceID', hex(8)],
    ['trace_id', 'not-a-trace'],
  ] as const;
  if (random.chance(90)) labels.push(random.pick(ids));
  if (random.chance(50)) labels.push(['span_id', hex(8)]);
  if (random.chance(20)) labels.push(['user', random.pick(['', 'grüße', 'ü'.repeat(50), 'x'.repeat(129)])]);
  if (random.chance(3)) labels.push(['span_id', 'twice']);
  return labels;
}
