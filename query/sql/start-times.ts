/**
 * Since when counters count (table sample_starts), laid beside the samples of a source.
 *
 *   rows: at 0:00 since 23:50, at 0:40 since 0:30   samples: 0:00, 0:20, 0:40  ->  startTimes: 23:50, 23:50, 0:30
 *
 * A row holds until the next one, within its two hours: each of them begins anew.
 */
import { LimitError } from '#model/errors.ts';
import { type LabelMatcher, type Labels, metricNameLabel } from '#model/labels.ts';
import type { Store } from '#store/store.ts';
import type { ExemplarSource, SampleRequest, SampleSource, SeriesSamples } from '../promql/source.ts';
import { matchersSql } from './matcher-sql.ts';
import { createMetricRead, type MetricRead } from './metric-read.ts';
import { rowLabels, timeSql } from './series.ts';

/** Rows for one selector: they are few, but where deltas are made cumulative each sample has one. */
const rowsMax = 5_000_000;
const windowMs = 7_200_000;
/** The last millisecond that the table can hold. */
const timeMsMax = 4_294_967_295_999;

interface StartTimes {
  readonly fromMs: number[];
  readonly startMs: number[];
}

/** The same source, whose samples have their start times; without any where `isUsed` is false. */
export function withStartTimes(
  source: SampleSource & ExemplarSource,
  store: Store,
  tenant: string,
  isUsed: boolean,
): SampleSource & ExemplarSource {
  const read = createMetricRead(store, tenant);
  return { ...source, select: isUsed ? selectWith : selectWithout };

  async function* selectWith(request: SampleRequest, abort?: AbortSignal): AsyncGenerator<SeriesSamples> {
    const starts = await readStarts(read, request, abort);
    for await (const series of source.select(request, abort)) {
      const found = starts.size === 0 ? undefined : starts.get(keyOf(series.labels));
      yield found === undefined ? series : { ...series, startTimes: startTimesOf(series.timestamps, found) };
    }
  }

  async function* selectWithout(request: SampleRequest, abort?: AbortSignal): AsyncGenerator<SeriesSamples> {
    for await (const series of source.select(request, abort)) {
      const { histograms } = series;
      if (histograms?.startTimes === undefined) yield series;
      else yield { ...series, histograms: { timestamps: histograms.timestamps, values: histograms.values } };
    }
  }
}

interface StartRow {
  readonly id: string;
  readonly from_ms: string;
  readonly start_ms: string;
}

/** By the series' labels. Mostly there are no rows, and no more is asked. */
async function readStarts(
  read: MetricRead,
  { matchers, startMs, endMs }: SampleRequest,
  abort: AbortSignal | undefined,
): Promise<Map<string, StartTimes>> {
  const found = new Map<string, StartTimes>();
  if (endMs <= startMs || endMs < 0) return found;
  const series = seriesOf(matchers, { startMs, endMs });
  const clamp = (ms: number) => Math.min(timeMsMax, Math.max(0, Math.floor(ms)));
  const rows = await read.rows<StartRow>(
    `SELECT DISTINCT toString(id) AS id, toString(toUnixTimestamp64Milli(ts)) AS from_ms,
       toString(toUnixTimestamp64Milli(start_ts)) AS start_ms, ts
     FROM sample_starts
     WHERE metric IN (SELECT metric FROM series WHERE ${series.sql}) AND id IN (SELECT id FROM series WHERE ${series.sql})
       AND ts >= fromUnixTimestamp64Milli({first:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({last:Int64}, 'UTC')
     ORDER BY id, ts, start_ms LIMIT {rowsMax:UInt64}`,
    {
      ...series.params,
      first: clamp(Math.floor(startMs / windowMs) * windowMs),
      last: clamp(endMs),
      rowsMax: rowsMax + 1,
    },
    abort,
  );
  if (rows.length === 0) return found;
  if (rows.length > rowsMax) {
    throw new LimitError(`a selector matches more than ${rowsMax} start times`, 'query.start_timestamps');
  }
  const byId = new Map<string, StartTimes>();
  for (const { id, from_ms, start_ms } of rows) {
    const starts = byId.get(id) ?? { fromMs: [], startMs: [] };
    starts.fromMs.push(Number(from_ms));
    starts.startMs.push(Number(start_ms));
    byId.set(id, starts);
  }
  const named = await read.rows<{ id: string; metric: string; labels: Record<string, string> }>(
    `SELECT toString(id) AS id, metric, labels FROM series WHERE ${series.sql} ORDER BY series.id LIMIT 1 BY series.id`,
    series.params,
    abort,
  );
  for (const row of named) {
    const starts = byId.get(row.id);
    if (starts !== undefined) found.set(keyOf(rowLabels(row)), starts);
  }
  return found;
}

function seriesOf(matchers: readonly LabelMatcher[], range: { startMs: number; endMs: number }) {
  const matched = matchersSql(matchers);
  const time = timeSql(range);
  return { sql: `${matched.sql} AND ${time.sql}`, params: { ...matched.params, ...time.params } };
}

function startTimesOf(timestamps: Float64Array, { fromMs, startMs }: StartTimes): Float64Array {
  const times = new Float64Array(timestamps.length);
  let next = 0;
  for (let i = 0; i < timestamps.length; i++) {
    while (next < fromMs.length && fromMs[next] <= timestamps[i]) next++;
    const isSaid = next > 0 && windowOf(fromMs[next - 1]) === windowOf(timestamps[i]);
    times[i] = isSaid ? startMs[next - 1] : 0;
  }
  return times;
}

function windowOf(ms: number): number {
  return Math.floor(ms / windowMs);
}

function keyOf(labels: Labels): string {
  let key = '';
  for (const [name, value] of labels) key += `${name === metricNameLabel ? '' : name}\u0000${value}\u0000`;
  return key;
}
