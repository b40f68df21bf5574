/**
 * PromQL's SampleSource over ClickHouse. A selector first becomes a list of series ordered by id; then slices of
 * that list are read, recent rows (samples_head) before those that are being compacted (samples_closing), and these
 * before chunks (samples_chunk): what a compaction moves between the reads is seen twice, never missed, and equal times
 * are one sample.
 */
import type { LabelMatcher } from '#model/labels.ts';
import { metricNameLabel } from '#model/labels.ts';
import type { QueryParams, Store } from '#store/store.ts';
import { staleWords } from '../promql/sample-window.ts';
import type { ExemplarSource, SampleRequest, SampleSource, SeriesSamples } from '../promql/source.ts';
import { listExemplars } from './exemplars.ts';
import { countHistogramNumbers, type HistogramRun, readHistograms } from './histograms.ts';
import { matchersSql } from './matcher-sql.ts';
import { createMetricRead, type MetricRead } from './metric-read.ts';
import { decodeSampleRuns, type SampleRun } from './sample-block.ts';
import { mergeRuns } from './sample-merge.ts';
import {
  listLabelNames,
  listLabelValues,
  listMetadata,
  listSeries,
  resolveSeries,
  type StoredSeries,
  seriesIdText,
} from './series.ts';

export interface SampleSourceLimits {
  /** Series that one selector may match. */
  readonly seriesMax: number;
}

/** What a slice may hold in memory, at 16 bytes a sample. */
const sliceSamplesMax = 4_000_000;
/** For the estimate of a slice: scrapes are seldom closer than this. */
const sampleIntervalMsGuess = 10_000;
/** Longer lists of ids are asked for by a subquery. */
const idListMax = 1000;
/** Metric names that a condition names, in all; ids and matchers are bound beside them. */
const metricBytesMax = 40_000;
/** In the order of a sample's way: each must be read before the next. */
const rowTables = ['samples_head', 'samples_closing'] as const;
const bucketSeconds = 7200;
/** The last second that DateTime holds. */
const secondMax = 4_294_967_295;

export function createSampleSource(
  store: Store,
  tenant: string,
  limits: SampleSourceLimits,
): SampleSource & ExemplarSource {
  const read = createMetricRead(store, tenant);
  return {
    select: (request, abort) => selectSamples(read, request, limits, abort),
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
  const { matchers, startMs, endMs } = request;
  if (endMs <= startMs || endMs < 0) return;
  const series = await resolveSeries(read, matchers, { startMs, endMs }, seriesMax, abort);
  if (series.length === 0) return;
  const samplesPerSeries = Math.ceil((endMs - Math.max(0, startMs)) / sampleIntervalMsGuess) + 1;
  const all = seriesWhere(matchers, series, false);
  const numbers = await countHistogramNumbers(read, all.sql, rowsParams(request, all.params), abort);
  const numbersPerSeries = samplesPerSeries + numbers / series.length;
  const sliceLength = Math.max(1, Math.floor(sliceSamplesMax / numbersPerSeries));
  for (let start = 0; start < series.length; start += sliceLength) {
    const slice = series.slice(start, start + sliceLength);
    yield* selectSlice(read, request, slice, slice.length < series.length, numbers > 0, abort);
  }
}

async function* selectSlice(
  read: MetricRead,
  request: SampleRequest,
  series: readonly StoredSeries[],
  isPart: boolean,
  hasHistograms: boolean,
  abort: AbortSignal | undefined,
): AsyncGenerator<SeriesSamples> {
  const where = seriesWhere(request.matchers, series, isPart);
  const histograms = new RunCollector<HistogramRun>(series);
  if (hasHistograms) {
    const runs = await readHistograms(read, where.sql, rowsParams(request, where.params), abort);
    for (const run of runs) histograms.add(run);
  }
  const recent: RunCollector<SampleRun>[] = [];
  for (const table of rowTables) {
    const runs = new RunCollector<SampleRun>(series);
    const sql = rowsSql(table, where.sql);
    for await (const run of readRuns(read, sql, rowsParams(request, where.params), abort)) runs.add(run);
    recent.push(runs);
  }
  let index = 0;
  let closed: SampleRun[] = [];
  const finish = () => {
    const runs = [...closed, ...recent.flatMap((collected) => collected.take(index))];
    const [histogramRun] = histograms.take(index);
    if (histogramRun !== undefined) runs.push(staleMarkers(histogramRun));
    const merged = mergeRuns(runs, request.startMs, request.endMs) ?? noSamples;
    const { labels } = series[index++];
    closed = [];
    const found = histogramRun?.samples;
    if (found !== undefined && found.values.length > 0) return [{ labels, ...merged, histograms: found }];
    return merged.values.length === 0 ? [] : [{ labels, ...merged }];
  };
  for await (const run of readRuns(read, chunkSql(where.sql), chunkParams(request, where.params), abort)) {
    while (index < series.length && compareIds(series[index], run) < 0) yield* finish();
    if (index < series.length && compareIds(series[index], run) === 0) closed.push(run);
  }
  while (index < series.length) yield* finish();
}

const noSamples = { timestamps: new Float64Array(), values: new Float64Array() };

/** Where a series of histograms ends: the markers are read as those of numbers. */
function staleMarkers({ idHigh, idLow, staleMs }: HistogramRun): SampleRun {
  const values = new Float64Array(staleMs.length);
  new Uint32Array(values.buffer).set(staleMs.length === 0 ? [] : [...staleMs].flatMap(() => staleWords));
  return { idHigh, idLow, timestamps: staleMs, values };
}

interface Where {
  readonly sql: string;
  readonly params: QueryParams;
}

/** Narrows sample rows to the series: by metric for the sort key, by id where the metric does not say it all. */
function seriesWhere(
  matchers: readonly LabelMatcher[],
  series: readonly StoredSeries[],
  isPart: boolean,
): Where {
  const metrics = new Set(
    series.map(({ labels }) => labels.find(([name]) => name === metricNameLabel)?.[1] ?? ''),
  );
  const conditions: string[] = [];
  const params: Record<string, string | readonly string[]> = {};
  const metricBytes = [...metrics].reduce((sum, metric) => sum + Buffer.byteLength(metric), 0);
  if (metrics.size <= idListMax && metricBytes <= metricBytesMax) {
    conditions.push('metric IN {metrics:Array(String)}');
    params.metrics = [...metrics];
  }
  if (series.length <= idListMax) {
    conditions.push("id IN (SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))");
    params.ids = series.map(seriesIdText).join(',');
    return { sql: conditions.join(' AND '), params };
  }
  if (isPart) {
    conditions.push('id >= {idFirst:UInt64} AND id <= {idLast:UInt64}');
    params.idFirst = seriesIdText(series[0]);
    params.idLast = seriesIdText(series[series.length - 1]);
  }
  const isWholeMetric =
    matchers.length === 1 && matchers[0].name === metricNameLabel && matchers[0].op === '=';
  if (isWholeMetric) return { sql: conditions.join(' AND '), params };
  const matched = matchersSql(matchers);
  conditions.push(`id IN (SELECT id FROM series WHERE ${matched.sql})`);
  return { sql: conditions.join(' AND '), params: { ...params, ...matched.params } };
}

function rowsSql(table: (typeof rowTables)[number], where: string): string {
  return `SELECT id, ts, v FROM ${table}
    WHERE ${where} AND ts > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
      AND ts <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    ORDER BY id, ts`;
}

function rowsParams({ startMs, endMs }: SampleRequest, params: QueryParams): QueryParams {
  return { ...params, after: clampMs(startMs), until: clampMs(endMs) };
}

/** A chunk holds samples of [bucket, bucket + 2 h), not always in order: the merge trims and sorts them. */
function chunkSql(where: string): string {
  return `SELECT id, ts, v FROM samples_chunk
    WHERE ${where} AND bucket >= toDateTime({bucketFirst:UInt32}, 'UTC') AND bucket <= toDateTime({bucketLast:UInt32}, 'UTC')
    ORDER BY id, bucket`;
}

function chunkParams({ startMs, endMs }: SampleRequest, params: QueryParams): QueryParams {
  const clamp = (seconds: number) => Math.min(secondMax, Math.max(0, seconds));
  return {
    ...params,
    bucketFirst: clamp(Math.floor(startMs / 1000) - bucketSeconds),
    bucketLast: clamp(Math.floor(endMs / 1000)),
  };
}

/** Within what the tables' DateTime keys hold; nothing is stored before 1970. */
function clampMs(ms: number): number {
  return Math.min(secondMax * 1000, Math.max(-1, Math.floor(ms)));
}

async function* readRuns(
  read: MetricRead,
  sql: string,
  params: QueryParams,
  abort: AbortSignal | undefined,
): AsyncGenerator<SampleRun> {
  for await (const bytes of read.stream(sql, params, abort)) yield* decodeSampleRuns(bytes);
}

/** Keeps runs, which come ordered by id, by the series that they are of. */
class RunCollector<Run extends SeriesId> {
  readonly #series: readonly StoredSeries[];
  readonly #runs: Run[][];
  #index = 0;

  constructor(series: readonly StoredSeries[]) {
    this.#series = series;
    this.#runs = series.map(() => []);
  }

  /** Runs of other series are left out. */
  add(run: Run): void {
    while (this.#index < this.#series.length && compareIds(this.#series[this.#index], run) < 0) this.#index++;
    if (this.#index === this.#series.length || compareIds(this.#series[this.#index], run) !== 0) return;
    this.#runs[this.#index].push(run);
  }

  /** Hands over a series' runs. */
  take(index: number): Run[] {
    const runs = this.#runs[index];
    this.#runs[index] = [];
    return runs;
  }
}

interface SeriesId {
  readonly idHigh: number;
  readonly idLow: number;
}

function compareIds(a: SeriesId, b: SeriesId): number {
  return a.idHigh - b.idHigh || a.idLow - b.idLow;
}
