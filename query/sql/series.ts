/** The `series`, `label_values` and `metric_metadata` tables: what is there, by labels and time. */
import { LimitError } from '#model/errors.ts';
import { type LabelMatcher, type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';
import type { MetricMetadata, TimeRange } from '../promql/source.ts';
import { type MatcherSql, matcherListsSql, matchersSql } from './matcher-sql.ts';
import type { MetricRead } from './metric-read.ts';

/** A 64-bit id as two 32-bit halves: comparing numbers is some twenty times cheaper than BigInt. */
export interface StoredSeries {
  readonly idHigh: number;
  readonly idLow: number;
  readonly labels: Labels;
}

/** Decimal, as the engine reads it. */
export function seriesIdText({ idHigh, idLow }: StoredSeries): string {
  return String((BigInt(idHigh) << 32n) | BigInt(idLow));
}

interface SeriesRow {
  readonly high: number;
  readonly low: number;
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

const seriesColumns =
  'toUInt32(bitShiftRight(id, 32)) AS high, toUInt32(bitAnd(id, 4294967295)) AS low, metric, labels';

/** Series that match, ordered by id, each once. Throws LimitError beyond seriesMax. */
export async function resolveSeries(
  read: MetricRead,
  matchers: readonly LabelMatcher[],
  range: TimeRange,
  seriesMax: number,
  abort?: AbortSignal,
): Promise<StoredSeries[]> {
  const { sql, params } = both(matchersSql(matchers), timeSql(range));
  const rows = await read.rows<SeriesRow>(
    `SELECT ${seriesColumns} FROM series WHERE ${sql} ORDER BY id LIMIT 1 BY id LIMIT {rowsMax:UInt64}`,
    { ...params, rowsMax: seriesMax + 1 },
    abort,
  );
  if (rows.length > seriesMax) {
    throw new LimitError(`a selector matches more than ${seriesMax} series`, 'query.series_max');
  }
  return rows.map((row) => ({ idHigh: row.high, idLow: row.low, labels: rowLabels(row) }));
}

export function rowLabels({ metric, labels }: Pick<SeriesRow, 'metric' | 'labels'>): Labels {
  return sortLabels([[metricNameLabel, metric] as const, ...Object.entries(labels)]);
}

export async function listSeries(
  read: MetricRead,
  lists: readonly (readonly LabelMatcher[])[],
  range: TimeRange,
  limit: number,
): Promise<Labels[]> {
  const { sql, params } = seriesSql(lists, range);
  const rows = await read.rows<SeriesRow>(
    `SELECT ${seriesColumns} FROM series WHERE ${sql} ORDER BY metric, id LIMIT 1 BY metric, id LIMIT {rowsMax:UInt64}`,
    { ...params, rowsMax: limit },
  );
  return rows.map(rowLabels).sort(compareLabels);
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
