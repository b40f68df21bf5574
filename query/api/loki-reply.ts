/** Results in Loki's JSON: lines grouped by stream, series as matrix or vector. */
import type { Labels } from '#model/labels.ts';
import type { EvaluationTimes, MetricResult } from '../logql/engine.ts';
import type { LogEntry } from '../logql/source.ts';
import { formatFloat } from '../rules/template/go-float.ts';

/** The request header and its value by which Grafana asks for structured metadata apart from the stream's labels. */
export const encodingFlagsHeader = 'x-loki-response-encoding-flags';
const categorizeLabels = 'categorize-labels';

export function asksForCategories(header: string | readonly string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((flag) => flag.trim() === categorizeLabels);
}

interface Stream {
  readonly stream: Record<string, string>;
  readonly values: unknown[];
}

/** Streams by their labels, entries in the order given. Without categories structured metadata is part of the stream. */
export function renderStreams(entries: readonly LogEntry[], isCategorized: boolean): object {
  const streams = new Map<string, Stream>();
  for (const entry of entries) {
    const labels = isCategorized ? entry.stream : sortedUnion(entry.stream, entry.structuredMetadata);
    const key = JSON.stringify(labels);
    let stream = streams.get(key);
    if (stream === undefined) {
      stream = { stream: Object.fromEntries(labels), values: [] };
      streams.set(key, stream);
    }
    stream.values.push(renderEntry(entry, isCategorized));
  }
  const result = [...streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stream]) => stream);
  return {
    resultType: 'streams',
    ...(isCategorized ? { encodingFlags: [categorizeLabels] } : {}),
    result,
  };
}

function renderEntry(
  { timeUnixNano, line, structuredMetadata }: LogEntry,
  isCategorized: boolean,
): unknown[] {
  if (!isCategorized) return [timeUnixNano, line];
  const isBare = structuredMetadata.length === 0;
  return [timeUnixNano, line, isBare ? {} : { structuredMetadata: Object.fromEntries(structuredMetadata) }];
}

function sortedUnion(a: Labels, b: Labels): Labels {
  return [...a, ...b].sort(([x], [y]) => (x < y ? -1 : 1));
}

/** The result at many times. A number is a series without labels. */
export function renderMatrix(result: MetricResult, times: EvaluationTimes): object {
  const series =
    typeof result === 'number'
      ? [{ labels: [], values: new Array<number>(times.count).fill(result) }]
      : sortSeries(result);
  return {
    resultType: 'matrix',
    result: series
      .map(({ labels, values }) => ({
        metric: Object.fromEntries(labels),
        values: values.flatMap((value, i) =>
          value === undefined ? [] : [sample(times.startUnixNano + BigInt(i) * times.stepNano, value)],
        ),
      }))
      .filter(({ values }) => values.length > 0),
  };
}

/** The result at one time. */
export function renderInstant(result: MetricResult, timeUnixNano: bigint): object {
  if (typeof result === 'number') return { resultType: 'scalar', result: sample(timeUnixNano, result) };
  return {
    resultType: 'vector',
    result: sortSeries(result).flatMap(({ labels, values }) =>
      values[0] === undefined
        ? []
        : [{ metric: Object.fromEntries(labels), value: sample(timeUnixNano, values[0]) }],
    ),
  };
}

function sortSeries<Series extends { labels: Labels }>(series: readonly Series[]): Series[] {
  const keyed = series.map((one) => [JSON.stringify(one.labels), one] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** Seconds with milliseconds, and the value as Go prints it. */
function sample(timeUnixNano: bigint, value: number): [number, string] {
  return [Number(timeUnixNano / 1_000_000n) / 1000, formatFloat(value, 'f')];
}
