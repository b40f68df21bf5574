/**
 * PromQL's SampleSource over ClickHouse. A selector first becomes a list of series ordered by id; then slices of that list are
 * read (sample-slices.ts), and each series' rows from several tables are joined: equal times are one sample.
 */
import type { Store } from '#store/store.ts';
import { staleWords } from '../promql/sample-window.ts';
import type {
  ExemplarSource,
  SampleRequest,
  SampleSource,
  SeriesSamples,
  SeriesVisitor,
} from '../promql/source.ts';
import { listExemplars } from './exemplars.ts';
import type { HistogramRun } from './histograms.ts';
import { createMetricRead, type MetricRead } from './metric-read.ts';
import { SampleJoin } from './sample-merge.ts';
import { readSlices, type Slice } from './sample-slices.ts';
import { listLabelNames, listLabelValues, listMetadata, listSeries } from './series.ts';

export interface SampleSourceLimits {
  /** Series that one selector may match. */
  readonly seriesMax: number;
}

export function createSampleSource(
  store: Store,
  tenant: string,
  limits: SampleSourceLimits,
): SampleSource & ExemplarSource {
  const read = createMetricRead(store, tenant);
  return {
    select: (request, abort) => selectSamples(read, request, limits, abort),
    scan: (request, visit, abort) => scanSamples(read, request, limits, visit, abort),
    series: (matchers, range, limit) => listSeries(read, matchers, range, limit),
    labelNames: (matchers, range, limit) => listLabelNames(read, matchers, range, limit),
    labelValues: (name, matchers, range, limit) => listLabelValues(read, name, matchers, range, limit),
    metadata: (metric, limit) => listMetadata(read, metric, limit),
    exemplars: (matchers, range, limit) => listExemplars(read, matchers, range, limit),
  };
}

async function* selectSamples(
  read: MetricRead,
  request: SampleRequest,
  { seriesMax }: SampleSourceLimits,
  abort: AbortSignal | undefined,
): AsyncGenerator<SeriesSamples> {
  const join = new SampleJoin(request.startMs, request.endMs);
  for await (const slice of readSlices(read, request, seriesMax, abort)) {
    for (let index = 0; index < slice.series.length; index++) {
      const samples = joinSeries(slice, index, join);
      if (samples !== undefined) yield samples;
    }
    for (const rows of slice.tables) rows.free();
  }
}

async function scanSamples(
  read: MetricRead,
  request: SampleRequest,
  { seriesMax }: SampleSourceLimits,
  visit: SeriesVisitor,
  abort: AbortSignal | undefined,
): Promise<void> {
  const join = new SampleJoin(request.startMs, request.endMs);
  for await (const slice of readSlices(read, request, seriesMax, abort)) {
    for (let index = 0; index < slice.series.length; index++) {
      join.reuse();
      const samples = joinSeries(slice, index, join);
      const pause = samples === undefined ? undefined : visit(samples);
      if (pause !== undefined) await pause;
    }
    for (const rows of slice.tables) rows.free();
  }
}

/** Undefined where the series has no sample. */
function joinSeries(
  { series, tables, histograms }: Slice,
  index: number,
  join: SampleJoin,
): SeriesSamples | undefined {
  const run = histograms.at(index);
  let count = run?.staleMs.length ?? 0;
  for (const rows of tables) count += rows.count(index);
  join.begin(count);
  for (const rows of tables) rows.collect(index, join);
  if (run !== undefined) addStaleMarkers(join, run);
  const { timestamps, values, mayBeStale } = join.finish();
  const { labels } = series[index];
  const found = run?.samples;
  if (found !== undefined && found.values.length > 0) {
    return { labels, timestamps, values, mayBeStale, histograms: found };
  }
  return values.length === 0 ? undefined : { labels, timestamps, values, mayBeStale };
}

/** Where a series of histograms ends: the markers are read as those of numbers. */
function addStaleMarkers(join: SampleJoin, { staleMs }: HistogramRun): void {
  const times = new Uint32Array(new BigInt64Array(Array.from(staleMs, BigInt)).buffer);
  const values = Uint32Array.from({ length: times.length }, (_, i) => staleWords[i % 2]);
  join.add(times, values, 0, staleMs.length);
}
