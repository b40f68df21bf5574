/** The `series`, `label_values` and `metric_metadata` tables: what is there, by labels and time. */
import { LimitError } from '#model/errors.ts';
import { type LabelMatcher, type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';
import type { MetricMetadata, TimeRange } from '../promql/source.ts';
import { type MatcherSql, matcherListsSql, matchersSql } from './matcher-sql.ts';
import type { MetricRead } from './metric-read.ts';
import { decodeSeries } from './series-columns.ts';

/** A 64-bit id as two 32-bit halves: comparing numbers is some twenty times cheaper than BigInt. */
/** A 64-bit id as two 32-bit halves: comparing numbers is some twenty times cheaper than BigInt. */
export interface SeriesId {
  readonly idHigh: number;
  readonly idLow: number;
}

export interface StoredSeries extends SeriesId {
  readonly labels: Labels;
}

/** Decimal, as the engine reads it. */
export function seriesIdText({ idHigh, idLow }: StoredSeries): string {
  return String((BigInt(idHigh) << 32n) | BigInt(idLow));
}

interface SeriesRow {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The last second that DateTime holds. */
const secondMax = 4_294_967_295;

/** The range as `series` keeps it: whole seconds, within what DateTime holds. */
export function timeSql({ startMs, endMs }: TimeRange): MatcherSql {
  const second = (ms: number) => Math.min(secondMax, Math.max(0, Math.floor(ms / 1000)));
  return {
    sql: 't_max >= toDateTime({tFirst:UInt32}) AND t_min <= toDateTime({tLast:UInt32})',
    params: { tFirst: second(startMs), tLast: second(endMs) },
  };
}

/** Series that match, ordered by id, each once. Throws LimitError beyond seriesMax. */
export async function resolveSeries(
  read: MetricRead,
  matchers: readonly LabelMatcher[],
  range: TimeRange,
  seriesMax: number,
  abort?: AbortSignal,
): Promise<StoredSeries[]> {
  const { sql, params } = both(matchersSql(matchers), timeSql(range));
  const found: StoredSeries[] = [];
  const statement = `SELECT id, metric, labels FROM series WHERE ${sql} ORDER BY metric, id LIMIT 1 BY metric, id LIMIT {rowsMax:UInt64}`;
  // With several threads the engine takes twice the time for so little.
  const settings = { max_threads: 1 };
  for await (const bytes of read.stream(statement, { ...params, rowsMax: seriesMax + 1 }, abort, settings)) {
    for (const series of decodeSeries(bytes)) found.push(series);
  }
  if (found.length > seriesMax) {
    throw new LimitError(`a selector matches more than ${seriesMax} series`, 'query.series_max');
  }
  return isAscending(found) ? found : found.sort(compareIds);
}

function isAscending(series: readonly StoredSeries[]): boolean {
  for (let i = 1; i < series.length; i++) if (compareIds(series[i - 1], series[i]) > 0) return false;
  return true;
}

/** The order of ids. */
export function compareIds(a: SeriesId, b: SeriesId): number {
  return a.idHigh - b.idHigh || a.idLow - b.idLow;
}

export function rowLabels({ metric, labels }: SeriesRow): Labels {
  return sortLabels([[metricNameLabel, metric] as const, ...Object.entries(labels)]);
}

export async function listSeries(
  read: MetricRead,
  lists: readonly (readonly LabelMatcher[])[],
  range: TimeRange,
  limit: number,
): Promise<Labels[]> {
  const { sql, params } = seriesSql(lists, range);
  const found: Labels[] = [];
  const statement = `SELECT id, metric, labels FROM series WHERE ${sql} ORDER BY metric, id LIMIT 1 BY metric, id LIMIT {rowsMax:UInt64}`;
  const stream = read.stream(statement, { ...params, rowsMax: limit }, undefined, { max_threads: 1 });
  for await (const bytes of stream) for (const { labels } of decodeSeries(bytes)) found.push(labels);
  return found.sort(compareLabels);
}

export function compareLabels(a: Labels, b: Labels): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    for (const part of [0, 1] as const) {
      if (a[i][part] !== b[i][part]) return a[i][part] < b[i][part] ? -1 : 1;
    }
  }
  return a.length - b.length;
}

export async function listLabelNames(
  read: MetricRead,
  lists: readonly (readonly LabelMatcher[])[],
  range: TimeRange,
  limit: number,
): Promise<string[]> {
  const time = timeSql(range);
  const matched = both(matcherListsSql(lists), time);
  // label_values knows the metric's name as a label; the map of `series` does not hold it.
  const from =
    lists.length === 0
      ? `SELECT DISTINCT name FROM label_values WHERE ${time.sql}`
      : `SELECT DISTINCT arrayJoin(arrayPushFront(arrayMap(k -> toString(k), mapKeys(labels)), '${metricNameLabel}')) AS name
         FROM series WHERE ${matched.sql}`;
  const params = lists.length === 0 ? time.params : matched.params;
  return listText(read, `SELECT name AS text FROM (${from})`, params, limit);
}

export async function listLabelValues(
  read: MetricRead,
  name: string,
  lists: readonly (readonly LabelMatcher[])[],
  range: TimeRange,
  limit: number,
): Promise<string[]> {
  const time = timeSql(range);
  const matched = both(matcherListsSql(lists), time);
  // Matchers of the metric's name alone are answered by the small table: it has the metric beside each value.
  const isSmall = lists.every((matchers) => matchers.every((matcher) => matcher.name === metricNameLabel));
  const column = name === metricNameLabel ? 'toString(metric)' : 'labels[{label:String}]';
  const sql = isSmall
    ? `SELECT DISTINCT value AS text FROM label_values WHERE name = {label:String} AND ${matched.sql}`
    : `SELECT DISTINCT ${column} AS text FROM series WHERE ${matched.sql}`;
  const params: QueryParams = { ...matched.params, label: name };
  const { label: _unused, ...withoutLabel } = params;
  const usesLabel = isSmall || name !== metricNameLabel;
  return listText(
    read,
    `SELECT text FROM (${sql}) WHERE text != ''`,
    usesLabel ? params : withoutLabel,
    limit,
  );
}

async function listText(
  read: MetricRead,
  sql: string,
  params: QueryParams,
  limit: number,
): Promise<string[]> {
  const rows = await read.rows<{ text: string }>(`${sql} ORDER BY text LIMIT {rowsMax:UInt64}`, {
    ...params,
    rowsMax: limit,
  });
  return rows.map(({ text }) => text);
}

export async function listMetadata(
  read: MetricRead,
  metric: string | undefined,
  limit: number,
): Promise<MetricMetadata[]> {
  const where = metric === undefined ? '1' : 'metric = {metric:String}';
  const params: QueryParams = metric === undefined ? {} : { metric };
  return read.rows<MetricMetadata>(
    `SELECT metric, type, help, unit FROM metric_metadata WHERE ${where}
     ORDER BY metric, updated DESC LIMIT 1 BY metric LIMIT {rowsMax:UInt64}`,
    { ...params, rowsMax: limit },
  );
}

/** Series that match any of the lists and were there in the range. */
export function seriesSql(lists: readonly (readonly LabelMatcher[])[], range: TimeRange): MatcherSql {
  return both(matcherListsSql(lists), timeSql(range));
}

function both(a: MatcherSql, b: MatcherSql): MatcherSql {
  return { sql: `${a.sql} AND ${b.sql}`, params: { ...a.params, ...b.params } };
}
