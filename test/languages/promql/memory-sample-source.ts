/** A SampleSource over arrays: what the store must answer like. */
import { type LabelMatcher, type Labels, labelValue } from '#model/labels.ts';
import { matchesLabels } from '#query/promql/match-label.ts';
import type {
  HistogramSamples,
  MetricMetadata,
  SampleSource,
  SeriesSamples,
  TimeRange,
} from '#query/promql/source.ts';

function histogramsWithin(
  { timestamps, values, startTimes }: HistogramSamples,
  startMs: number,
  endMs: number,
): HistogramSamples | undefined {
  const isWithin = (time: number) => time > startMs && time <= endMs;
  const kept = timestamps.filter(isWithin);
  if (kept.length === 0) return undefined;
  const isKept = (_value: unknown, i: number) => isWithin(timestamps[i]);
  return {
    timestamps: kept,
    values: values.filter(isKept),
    ...(startTimes === undefined ? {} : { startTimes: startTimes.filter(isKept) }),
  };
}

export function createMemorySampleSource(
  series: readonly SeriesSamples[],
  metadata: readonly MetricMetadata[] = [],
): SampleSource {
  const labelsIn = (matchers: readonly (readonly LabelMatcher[])[], range: TimeRange): Labels[] =>
    series
      .filter(({ timestamps, histograms }) =>
        [...timestamps, ...(histograms?.timestamps ?? [])].some(
          (time) => time >= range.startMs && time <= range.endMs,
        ),
      )
      .filter(({ labels }) => matchers.length === 0 || matchers.some((list) => matchesLabels(list, labels)))
      .map(({ labels }) => labels);
  return {
    async *select({ matchers, startMs, endMs }) {
      for (const one of series) {
        if (!matchesLabels(matchers, one.labels)) continue;
        const from = one.timestamps.findIndex((time) => time > startMs);
        const after = one.timestamps.findIndex((time) => time > endMs);
        const to = after === -1 ? one.timestamps.length : after;
        const hasNumbers = from !== -1 && from < to;
        const histograms = one.histograms && histogramsWithin(one.histograms, startMs, endMs);
        if (!hasNumbers && histograms === undefined) continue;
        yield {
          labels: one.labels,
          timestamps: hasNumbers ? one.timestamps.slice(from, to) : new Float64Array(),
          values: hasNumbers ? one.values.slice(from, to) : new Float64Array(),
          ...(one.startTimes === undefined || !hasNumbers
            ? {}
            : { startTimes: one.startTimes.slice(from, to) }),
          ...(histograms === undefined ? {} : { histograms }),
        };
      }
    },
    series: async (matchers, range, limit) => labelsIn(matchers, range).slice(0, limit),
    labelNames: async (matchers, range, limit) => {
      const names = labelsIn(matchers, range).flatMap((labels) => labels.map(([name]) => name));
      return [...new Set(names)].sort().slice(0, limit);
    },
    labelValues: async (name, matchers, range, limit) => {
      const values = labelsIn(matchers, range).map((labels) => labelValue(labels, name));
      return [...new Set(values)]
        .filter((value) => value !== '')
        .sort()
        .slice(0, limit);
    },
    metadata: async (metric, limit) =>
      metadata.filter((one) => metric === undefined || one.metric === metric).slice(0, limit),
  };
}
