/**
 * PromQL's SampleSource over ClickHouse. A selector first becomes a list of series ordered by id; then slices of that list are
 * read (sample-slices.ts), and each series' rows from several tables are joined: equal times are one sample.
 */
import type { Store } from '#store/store.ts';
import type { OnStatement } from '../promql/plan/explain.ts';
import { staleWords } from '../promql/sample-window.ts';
import type {
  ColumnScan,
  ExemplarSource,
  SampleRequest,
  SampleSource,
  SeriesSamples,
  SeriesVisitor,
} from '../promql/source.ts';
import { listExemplars } from './exemplars.ts';
import type { HistogramRun } from './histograms.ts';
import type { KernelPool } from './kernel-pool.ts';
import { createMetricRead, type MetricRead } from './metric-read.ts';
import { createPushedReads, type PushDownProbe } from './pushed-reads.ts';
import { SampleJoin } from './sample-merge.ts';
import { bytesOf, readSlices, type Slice } from './sample-slices.ts';
import { listLabelNames, listLabelValues, listMetadata, listSeries } from './series.ts';
import { SeriesRows } from './series-rows.ts';
import type { SliceResult } from './slice-kernel.ts';

export interface SampleSourceLimits {
  /** Series that one selector may match. */
  readonly seriesMax: number;
  /** What is read, and held, at a time. Default 3 million, at 16 bytes. */
  readonly sliceSamplesMax?: number;
  /** Bytes that the source may read: see metric-read.ts. No limit by default. */
  readonly bytesMax?: number;
}

export interface SampleSourceOptions {
  /** What the store computes as PromQL does. Without it, the source answers with samples only. */
  readonly probe?: PushDownProbe;
  readonly onStatement?: OnStatement | undefined;
  /** Runs kernels of large queries in threads. Without it, all is done beside the engine's reads. */
  readonly kernels?: KernelPool;
}

export function createSampleSource(
  store: Store,
  tenant: string,
  limits: SampleSourceLimits,
  { probe, onStatement, kernels }: SampleSourceOptions = {},
): SampleSource & ExemplarSource {
  const read = createMetricRead(store, tenant, { bytesMax: limits.bytesMax, onStatement });
  return {
    ...(probe === undefined ? {} : { pushed: createPushedReads(read, limits.seriesMax, probe) }),
    select: (request, abort) => selectSamples(read, request, limits, abort),
    scan: (request, visit, abort, columns) =>
      kernels === undefined || columns === undefined
        ? scanSamples(read, request, limits, visit, abort)
        : scanColumns(read, request, limits, { kernels, visit, columns, abort }),
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
  limits: SampleSourceLimits,
  abort: AbortSignal | undefined,
): AsyncGenerator<SeriesSamples> {
  const join = new SampleJoin(request.startMs, request.endMs);
  for await (const slice of readSlices(read, request, { ...limits, stepCount: 0 }, abort)) {
    yield* joinSlice(slice, join);
  }
}

async function scanSamples(
  read: MetricRead,
  request: SampleRequest,
  limits: SampleSourceLimits,
  visit: SeriesVisitor,
  abort: AbortSignal | undefined,
): Promise<void> {
  const join = new SampleJoin(request.startMs, request.endMs);
  for await (const slice of readSlices(read, request, { ...limits, stepCount: 0 }, abort)) {
    await visitSlice(slice, join, visit);
  }
}

async function visitSlice(slice: Slice, join: SampleJoin, visit: SeriesVisitor): Promise<void> {
  join.reuse();
  for (const samples of joinSlice(slice, join)) {
    const pause = visit(samples);
    if (pause !== undefined) await pause;
    join.reuse();
  }
}

/** As scanSamples; large slices go to threads. Series are visited in order all the same. */
async function scanColumns(
  read: MetricRead,
  request: SampleRequest,
  limits: SampleSourceLimits,
  { kernels, visit, columns, abort }: ColumnScanParts,
): Promise<void> {
  const { stepCount } = columns.task;
  const join = new SampleJoin(request.startMs, request.endMs);
  const { startMs, endMs } = request;
  const running: (() => Promise<void>)[] = [];
  for await (const slice of readSlices(read, request, { ...limits, stepCount }, abort)) {
    const { ids, tables } = slice;
    if (slice.histograms !== undefined || bytesOf(slice) < kernels.sliceBytesMin) {
      running.push(() => visitSlice(slice, join, visit));
    } else {
      const result = kernels.run({ ids, tables, startMs, endMs, column: columns.task });
      // It is awaited in its turn; where one before it fails, the query fails with that.
      result.catch(() => undefined);
      running.push(async () => visitComputed(slice, await result, columns));
    }
    if (running.length >= kernels.slicesMax) await running.shift()?.();
  }
  for (const finish of running) await finish();
}

interface ColumnScanParts {
  readonly kernels: KernelPool;
  readonly visit: SeriesVisitor;
  readonly columns: ColumnScan;
  readonly abort: AbortSignal | undefined;
}

async function visitComputed(
  { series }: Slice,
  { sampleCounts, windowSampleCounts, hasValue, values, present }: SliceResult,
  { task: { stepCount }, visit }: ColumnScan,
): Promise<void> {
  for (const [index, { labels }] of series.entries()) {
    if (sampleCounts[index] === 0) continue;
    const [from, to] = [index * stepCount, (index + 1) * stepCount];
    const pause = visit({
      labels,
      sampleCount: sampleCounts[index],
      windowSampleCount: windowSampleCounts[index],
      hasValue: hasValue[index] === 1,
      values: values.subarray(from, to),
      present: present.subarray(from, to),
    });
    if (pause !== undefined) await pause;
  }
}

/** Yields the series that have samples, and gives the slice's memory back when all were taken. */
function* joinSlice({ series, ids, tables, histograms }: Slice, join: SampleJoin): Generator<SeriesSamples> {
  const rows = tables.map((blocks) => new SeriesRows(ids, blocks));
  for (const [index, { labels }] of series.entries()) {
    const run = histograms?.at(index);
    join.beginSeries(rows, index, run?.staleMs.length);
    if (run !== undefined) addStaleMarkers(join, run);
    const { timestamps, values, mayBeStale } = join.finish();
    const found = run?.samples;
    if (found !== undefined && found.values.length > 0) {
      yield { labels, timestamps, values, mayBeStale, histograms: found };
    } else if (values.length > 0) yield { labels, timestamps, values, mayBeStale };
  }
  for (const table of rows) table.free();
}

/** Where a series of histograms ends: the markers are read as those of numbers. */
function addStaleMarkers(join: SampleJoin, { staleMs }: HistogramRun): void {
  const times = new Uint32Array(new BigInt64Array(Array.from(staleMs, BigInt)).buffer);
  const words = Uint32Array.from({ length: times.length }, (_, i) => staleWords[i % 2]);
  join.add(times, new Float64Array(words.buffer), 0, staleMs.length);
}
