/** Native histograms as JSON rows of `histograms_head`, the obvious way: buckets in a map by their index, BigInt counts. */
import { doubleBits, staleBits, timeText } from './naive-samples.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever protobufjs decodes.
type Decoded = any;

/** What all tables' rows have beside the histogram itself: tenant, metric, id, ts. */
export interface NaiveHistogram {
  readonly start_ts: string;
  readonly [column: string]: unknown;
}

export interface NaiveSide {
  readonly spans: readonly { offset: number; length: number }[];
  readonly counts: readonly number[];
}

/** A side as a map, or undefined where spans and counts do not fit. */
export function bucketMap({ spans, counts }: NaiveSide): Map<number, number> | undefined {
  const map = new Map<number, number>();
  let index = 0;
  let next = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0) return undefined;
    index += offset;
    if (next + length > counts.length) return undefined;
    for (let j = 0; j < length; j++) map.set(index++, counts[next++]!);
  }
  return next === counts.length ? map : undefined;
}

export function sideOf(map: Map<number, number>): NaiveSide {
  const spans: { offset: number; length: number }[] = [];
  const counts: number[] = [];
  let end = 0;
  for (const index of [...map.keys()].sort((a, b) => a - b)) {
    if (spans.length > 0 && index === end) spans.at(-1)!.length++;
    else spans.push({ offset: spans.length === 0 ? index : index - end, length: 1 });
    counts.push(map.get(index)!);
    end = index + 1;
  }
  return { spans, counts };
}

/** Merges buckets of 2^steps into one: bucket i ends at base^i. */
export function merged(map: Map<number, number>, steps: number): Map<number, number> {
  const to = new Map<number, number>();
  for (const [index, count] of map) {
    const target = Math.ceil(index / 2 ** steps);
    to.set(target, (to.get(target) ?? 0) + count);
  }
  return to;
}

function sumOf(deltas: readonly string[]): number[] {
  let sum = 0n;
  return deltas.map((delta) => {
    sum += BigInt(delta);
    return Number(sum);
  });
}

/** A native histogram before it is a row. */
export interface NaiveParts {
  readonly startMs: number;
  readonly schema: number;
  readonly resetHint: number;
  readonly count: number;
  readonly sumBits: bigint;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly positive: NaiveSide;
  readonly negative: NaiveSide;
  readonly customValues: readonly number[];
}

export function histogramRow(parts: NaiveParts): NaiveHistogram {
  const bits = (value: number) => doubleBits(value).toString();
  return {
    start_ts: timeText(parts.startMs),
    schema: parts.schema,
    reset_hint: parts.resetHint,
    count: bits(parts.count),
    sum: parts.sumBits.toString(),
    zero_threshold: bits(parts.zeroThreshold),
    zero_count: bits(parts.zeroCount),
    positive_offsets: parts.positive.spans.map(({ offset }) => offset),
    positive_lengths: parts.positive.spans.map(({ length }) => length),
    positive_counts: parts.positive.counts.map(bits),
    negative_offsets: parts.negative.spans.map(({ offset }) => offset),
    negative_lengths: parts.negative.spans.map(({ length }) => length),
    negative_counts: parts.negative.counts.map(bits),
    custom_values: parts.customValues.map(bits),
  };
}

const noSide: NaiveSide = { spans: [], counts: [] };

export function naiveStaleHistogram(startMs: number): NaiveHistogram {
  return histogramRow({
    startMs,
    schema: 0,
    resetHint: 0,
    count: 0,
    sumBits: staleBits,
    zeroThreshold: 0,
    zeroCount: 0,
    positive: noSide,
    negative: noSide,
    customValues: [],
  });
}

/** A remote write Histogram; undefined where it is refused. `seriesStartMs` stands for a start it does not have. */
export function naiveHistogram(decoded: Decoded, seriesStartMs: number): NaiveHistogram | undefined {
  const isFloat = decoded.countFloat !== undefined;
  const side = (name: string): NaiveSide => ({
    spans: decoded[`${name}Spans`].map(({ offset, length }: Decoded) => ({
      offset: offset ?? 0,
      length: length ?? 0,
    })),
    counts: isFloat ? decoded[`${name}Counts`] : sumOf(decoded[`${name}Deltas`]),
  });
  let [positive, negative] = [side('positive'), side('negative')];
  let schema = decoded.schema ?? 0;
  const count = Number((isFloat ? decoded.countFloat : decoded.countInt) ?? 0);
  const zeroCount = Number((isFloat ? decoded.zeroCountFloat : decoded.zeroCountInt) ?? 0);
  const zeroThreshold = decoded.zeroThreshold ?? 0;
  const [positiveMap, negativeMap] = [bucketMap(positive), bucketMap(negative)];
  if (positiveMap === undefined || negativeMap === undefined) return undefined;
  const all = [zeroCount, ...positive.counts, ...negative.counts];
  if (all.some((value) => value < 0) || count < 0) return undefined;
  const total = all.reduce((sum, value) => sum + value, 0);
  if (!isFloat && (Number.isNaN(decoded.sum) ? total > count : total !== count)) return undefined;
  const bounds: number[] = decoded.customValues;
  if (schema === -53) {
    const isIncreasing = bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]!);
    // Spans count though they are empty, as in Prometheus.
    const width = positive.spans.reduce((sum, { offset, length }) => sum + offset + length, 0);
    const isNegative = positive.spans.some(({ offset }) => offset < 0);
    if (!isIncreasing || bounds.includes(Number.POSITIVE_INFINITY)) return undefined;
    if (
      width > bounds.length + 1 ||
      isNegative ||
      zeroCount !== 0 ||
      zeroThreshold !== 0 ||
      negative.spans.length > 0
    ) {
      return undefined;
    }
  } else if (schema < -4 || schema > 52 || bounds.length > 0) return undefined;
  if (schema > 8) {
    positive = sideOf(merged(positiveMap, schema - 8));
    negative = sideOf(merged(negativeMap, schema - 8));
    schema = 8;
  }
  const unixMs = Number(decoded.timestamp ?? 0);
  const given = Number(decoded.startTimestamp ?? 0) || seriesStartMs;
  return histogramRow({
    startMs: given > 0 && given <= unixMs ? given : 0,
    schema,
    resetHint: decoded.resetHint ?? 0,
    count,
    sumBits: doubleBits(decoded.sum ?? 0),
    zeroThreshold,
    zeroCount,
    positive,
    negative,
    customValues: bounds,
  });
}

/** Gaps of one or two empty buckets stay in their span, longer ones and empty ends are left out. */
export function withoutEmpty(map: ReadonlyMap<number, number>): NaiveSide {
  const filled = [...map].filter(([, count]) => count > 0).map(([index]) => index);
  filled.sort((a, b) => a - b);
  const kept = new Map<number, number>();
  for (const [i, index] of filled.entries()) {
    const gap = i === 0 ? 0 : index - filled[i - 1]! - 1;
    if (gap <= 2) for (let j = gap; j > 0; j--) kept.set(index - j, 0);
    kept.set(index, map.get(index)!);
  }
  return sideOf(kept);
}

/** An OTLP ExponentialHistogramDataPoint that is no stale marker; undefined where it is refused. */
export function naiveExponential(point: Decoded, startMs: number): NaiveParts | undefined {
  const scale = point.scale ?? 0;
  if (scale < -4) return undefined;
  const side = (buckets: Decoded): NaiveSide => {
    let map = new Map<number, number>();
    for (const [i, count] of (buckets?.bucketCounts ?? []).entries()) {
      map.set((buckets.offset ?? 0) + i + 1, Number(count));
    }
    if (scale > 8) map = merged(map, scale - 8);
    return withoutEmpty(map);
  };
  const [positive, negative] = [side(point.positive), side(point.negative)];
  const zeroCount = Number(point.zeroCount ?? 0);
  const count = Number(point.count ?? 0);
  const total = [zeroCount, ...positive.counts, ...negative.counts].reduce((sum, value) => sum + value, 0);
  if (Number.isNaN(point.sum) ? total > count : total !== count) return undefined;
  return {
    startMs,
    schema: Math.min(scale, 8),
    resetHint: 0,
    count,
    sumBits: doubleBits(point.sum ?? 0),
    zeroThreshold: point.zeroThreshold > 0 ? point.zeroThreshold : 1e-128,
    zeroCount,
    positive,
    negative,
    customValues: [],
  };
}

/** An OTLP HistogramDataPoint that is no stale marker, with custom bounds; undefined where it is refused. */
export function naiveCustom(point: Decoded, startMs: number): NaiveParts | undefined {
  const count = Number(point.count ?? 0);
  const hasBuckets = point.bucketCounts.length > 0;
  const bounds: number[] = hasBuckets ? point.explicitBounds : [];
  const counts: number[] = hasBuckets ? point.bucketCounts.map(Number) : [count];
  const rises = bounds.every((bound, i) => bound < (bounds[i + 1] ?? Number.POSITIVE_INFINITY));
  const total = counts.reduce((sum, one) => sum + one, 0);
  if (!rises || (Number.isNaN(point.sum) ? total > count : total !== count)) return undefined;
  return {
    startMs,
    schema: -53,
    resetHint: 0,
    count,
    sumBits: doubleBits(point.sum ?? 0),
    zeroThreshold: 0,
    zeroCount: 0,
    positive: withoutEmpty(new Map(counts.entries())),
    negative: noSide,
    customValues: bounds,
  };
}
