/** What a promqltest script's load commands make: series in memory. */
import { type Labels, labelValue, metricNameLabel, sortLabels } from '#model/labels.ts';
import { parseDurationMs } from '#query/language/quantity.ts';
import {
  compact,
  customSchema,
  type FloatHistogram,
  noBuckets,
} from '#query/promql/histogram/float-histogram.ts';
import { storedHints } from '#query/promql/histogram/reset-hints.ts';
import type { SeriesSamples } from '#query/promql/source.ts';
import { labelsKey } from '#query/promql/step-series.ts';
import type { ScriptBlock } from './promqltest-script.ts';
import { absent, type NotedSeries, type NotedValue, parseSeriesLine, staleNan } from './series-notation.ts';

/** Milliseconds of a time or duration in a script; a plain number is seconds. */
export function parseMs(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const plain = text.replace(/^[+-]/, '');
  const ms = parseDurationMs(plain) ?? Number(plain) * 1000;
  if (Number.isNaN(ms)) throw new Error(`no time: ${text}`);
  return sign * ms;
}

/** Adds what a load command says to the series that are there, by the key of their labels. */
export function load(series: Map<string, SeriesSamples>, { command, lines }: ScriptBlock): void {
  const [kind, step] = command.split(/\s+/);
  const stepMs = parseMs(step);
  const loaded = lines.map(parseSeriesLine);
  const offsets = new Map(
    loaded.map(({ labels, startOffsets }) => [labelsKey(labels), startOffsets] as const),
  );
  for (const noted of loaded) {
    if (noted.startOffsets !== undefined) offsets.set(labelsKey(noted.labels), noted.startOffsets);
  }
  for (const noted of loaded) {
    if (noted.startOffsets !== undefined) continue;
    add(series, toSamples(noted, stepMs, offsets.get(labelsKey(noted.labels))));
  }
  if (kind !== 'load_with_nhcb') return;
  for (const custom of customHistograms(loaded, stepMs)) add(series, custom);
}

function toSamples(
  { labels, values, stale }: NotedSeries,
  stepMs: number,
  startOffsets: NotedSeries['startOffsets'],
): SeriesSamples {
  const times: number[] = [];
  const numbers: Float64Array[] = [];
  const histogramTimes: number[] = [];
  const histograms: FloatHistogram[] = [];
  for (const [i, value] of values.entries()) {
    if (value === absent) continue;
    if (typeof value === 'number') {
      times.push(i * stepMs);
      // A stale marker must be copied as bits.
      numbers.push(stale.has(i) ? staleNan : Float64Array.of(value));
    } else {
      histogramTimes.push(i * stepMs);
      histograms.push(value.histogram);
    }
  }
  const all = new Float64Array(numbers.length);
  for (const [i, number] of numbers.entries()) all.set(number, i);
  const startTimesOf = (sampleTimes: readonly number[]) =>
    Float64Array.from(sampleTimes, (time) => {
      const offset = startOffsets?.[time / stepMs];
      return offset === undefined || offset === absent ? 0 : time + offset;
    });
  const samples: SeriesSamples = {
    labels,
    timestamps: Float64Array.from(times),
    values: all,
    ...(startOffsets === undefined ? {} : { startTimes: startTimesOf(times) }),
  };
  if (histograms.length === 0) return samples;
  const timestamps = Float64Array.from(histogramTimes);
  const noted = { timestamps, values: storedHints(histograms) };
  const starts = startOffsets === undefined ? {} : { startTimes: startTimesOf(histogramTimes) };
  return { ...samples, histograms: { ...noted, ...starts } };
}

/** The same series may be loaded in parts; of two values at one time the later one counts. */
function add(series: Map<string, SeriesSamples>, more: SeriesSamples): void {
  const key = labelsKey(more.labels);
  const before = series.get(key);
  if (before === undefined) {
    series.set(key, more);
    return;
  }
  const parts = [before, more];
  const places = new Map<number, { part: SeriesSamples; index: number }>();
  for (const part of parts)
    for (const [index, time] of part.timestamps.entries()) places.set(time, { part, index });
  const times = [...places.keys()].sort((a, b) => a - b);
  const values = new Float64Array(times.length);
  for (const [i, time] of times.entries()) {
    const { part, index } = places.get(time)!;
    values.set(part.values.subarray(index, index + 1), i);
  }
  const byTime = new Map(
    parts.flatMap(({ histograms }) =>
      [...(histograms?.timestamps ?? [])].map((time, i) => [time, histograms!.values[i]] as const),
    ),
  );
  const histogramTimes = [...byTime.keys()].sort((a, b) => a - b);
  const histograms = storedHints(histogramTimes.map((time) => byTime.get(time)!));
  series.set(key, {
    labels: more.labels,
    timestamps: Float64Array.from(times),
    values,
    ...(histograms.length === 0
      ? {}
      : { histograms: { timestamps: Float64Array.from(histogramTimes), values: histograms } }),
  });
}

/** What load_with_nhcb adds: of each classic histogram a native one with its bounds. */
function customHistograms(loaded: readonly NotedSeries[], stepMs: number): SeriesSamples[] {
  interface Parts {
    readonly labels: Labels;
    readonly buckets: { bound: number; values: readonly NotedValue[] }[];
    count: readonly NotedValue[];
    sum: readonly NotedValue[];
  }
  const byLabels = new Map<string, Parts>();
  for (const { labels, values } of loaded) {
    const [, base, part] = /^(.*)_(bucket|count|sum)$/.exec(labelValue(labels, metricNameLabel)) ?? [];
    if (base === undefined) continue;
    const others = labels.filter(([key]) => key !== metricNameLabel && key !== 'le');
    const custom = sortLabels([...others, [metricNameLabel, base] as const]);
    const key = labelsKey(custom);
    const parts = byLabels.get(key) ?? { labels: custom, buckets: [], count: [], sum: [] };
    byLabels.set(key, parts);
    const le = labelValue(labels, 'le');
    if (part === 'bucket')
      parts.buckets.push({ bound: /^\+?inf$/i.test(le) ? Infinity : Number(le), values });
    else if (part === 'count') parts.count = values;
    else parts.sum = values;
  }
  const isNumber = (value: NotedValue | undefined): value is number => typeof value === 'number';
  return [...byLabels.values()].flatMap(({ labels, buckets, count, sum }) => {
    const sorted = buckets.filter(({ bound }) => !Number.isNaN(bound)).sort((a, b) => a.bound - b.bound);
    if (sorted.length === 0) return [];
    const times: number[] = [];
    const histograms: FloatHistogram[] = [];
    for (let i = 0; i < Math.max(...sorted.map(({ values }) => values.length)); i++) {
      const cumulative = new Map<number, number>();
      for (const { bound, values } of sorted) {
        const value = values[i];
        if (isNumber(value)) cumulative.set(bound, value);
      }
      if (cumulative.size === 0) continue;
      const bounds = [...cumulative.keys()].filter(Number.isFinite);
      const last = cumulative.get(Infinity);
      const countHere = count[i];
      const total = isNumber(countHere) ? countHere : (last ?? [...cumulative.values()].at(-1)!);
      let before = 0;
      const counts = [...bounds.map((bound) => cumulative.get(bound)!), total].map((value) => {
        const own = value - before;
        before = value;
        return own;
      });
      const sumHere = sum[i];
      times.push(i * stepMs);
      histograms.push(
        compact({
          schema: customSchema,
          resetHint: 'unknown',
          zeroThreshold: 0,
          zeroCount: 0,
          count: total,
          sum: isNumber(sumHere) ? sumHere : 0,
          positive: { indexes: Int32Array.from(counts.keys()), counts: Float64Array.from(counts) },
          negative: noBuckets,
          customBounds: Float64Array.from(bounds),
        }),
      );
    }
    const samples = { timestamps: Float64Array.from(times), values: storedHints(histograms) };
    return [{ labels, timestamps: new Float64Array(), values: new Float64Array(), histograms: samples }];
  });
}
