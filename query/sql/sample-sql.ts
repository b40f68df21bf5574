/** The statements that read samples, and the conditions that narrow them to a request's series. */
import { type LabelMatcher, labelValue, metricNameLabel } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';
import type { SampleRequest } from '../promql/source.ts';
import { matchersSql } from './matcher-sql.ts';
import type { StoredSeries } from './series.ts';
import { rowColumns } from './series-rows.ts';

const { id, times, values } = rowColumns;

/** Longer lists of ids are asked for by a subquery. */
const idListMax = 1000;
/** Metric names that a condition names, in all; ids and matchers are bound beside them. */
const metricBytesMax = 40_000;
/** Rows of samples, in the order of a sample's way: each must be read before the next, and all before chunks. */
export const rowTables = ['samples_head', 'samples_closing'] as const;
export type RowTable = (typeof rowTables)[number];
const bucketSeconds = 7200;
/** The last second that DateTime holds. */
const secondMax = 4_294_967_295;

export interface Where {
  readonly sql: string;
  readonly params: QueryParams;
}

/** Narrows rows to the series' metrics, which the sort key begins with; everything where they are too many to be named. */
export function metricsWhere(series: readonly StoredSeries[]): Where {
  const metrics = new Set<string>();
  let before: string | undefined;
  for (const { labels } of series) {
    const metric = labelValue(labels, metricNameLabel);
    if (metric !== before) metrics.add(metric);
    before = metric;
  }
  const metricBytes = [...metrics].reduce((sum, metric) => sum + Buffer.byteLength(metric), 0);
  if (metrics.size > idListMax || metricBytes > metricBytesMax) return { sql: '1', params: {} };
  return { sql: 'metric IN {metrics:Array(String)}', params: { metrics: [...metrics] } };
}

/** Narrows sample rows to the series: by metric for the sort key, by id where the metric does not say it all. */
export function seriesWhere(
  matchers: readonly LabelMatcher[],
  series: readonly StoredSeries[],
  isPart: boolean,
): Where {
  const byMetric = metricsWhere(series);
  const conditions = byMetric.sql === '1' ? [] : [byMetric.sql];
  const params: Record<string, QueryParams[string]> = { ...byMetric.params };
  const isWholeMetric =
    matchers.length === 1 && matchers[0].name === metricNameLabel && matchers[0].op === '=';
  if (series.length <= idListMax && !(isWholeMetric && isPart)) {
    conditions.push("id IN (SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))");
    params.ids = series.map(idText).join(',');
    return { sql: conditions.join(' AND '), params };
  }
  if (isPart) {
    conditions.push('id >= {idFirst:UInt64} AND id <= {idLast:UInt64}');
    params.idFirst = idText(series[0]);
    params.idLast = idText(series[series.length - 1]);
  }
  if (isWholeMetric) return { sql: conditions.join(' AND '), params };
  const matched = matchersSql(matchers);
  conditions.push(`id IN (SELECT id FROM series WHERE ${matched.sql})`);
  return { sql: conditions.join(' AND '), params: { ...params, ...matched.params } };
}

function idText({ idHigh, idLow }: StoredSeries): string {
  return String((BigInt(idHigh) << 32n) | BigInt(idLow));
}

/** One row where the table has any of the range; the parameters are those of `where` and rowsParams. */
export function hasRowsSql(table: RowTable, where: string): string {
  return `SELECT 1 FROM ${table} WHERE ${where} AND ${rowsWithin} LIMIT 1`;
}

const rowsWithin = `ts > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')`;

export function rowsSql(table: RowTable, where: string): string {
  return `SELECT id AS ${id}, ts AS ${times}, v AS ${values} FROM ${table}
    WHERE ${where} AND ${rowsWithin}
    ORDER BY tenant, metric, id, ts`;
}

export function rowsParams({ startMs, endMs }: SampleRequest, params: QueryParams): QueryParams {
  return { ...params, after: clampMs(startMs), until: clampMs(endMs) };
}

/**
 * A chunk holds samples of [bucket, bucket + 2 h), not always in order: the join trims and sorts them. Where most of what
 * the chunks hold lies outside of the range, the engine leaves it out: handing it over costs more. Without an order: the
 * engine would sort arrays, and rows are found by their ids.
 */
export function chunkSql(where: string, { startMs, endMs }: SampleRequest): string {
  const within = `t > fromUnixTimestamp64Milli({after:Int64}, 'UTC') AND t <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')`;
  const columns = isTrimmed(startMs, endMs)
    ? `arrayFilter(t -> ${within}, tss) AS ${times}, arrayFilter((x, t) -> ${within}, vs, tss) AS ${values}`
    : `CAST(tss AS Array(DateTime64(3, 'UTC'))) AS ${times}, CAST(vs AS Array(Float64)) AS ${values}`;
  return `SELECT id AS ${id}, ${columns} FROM (
    SELECT id, ts AS tss, v AS vs FROM samples_chunk
    WHERE ${where} AND bucket >= toDateTime({bucketFirst:UInt32}, 'UTC') AND bucket <= toDateTime({bucketLast:UInt32}, 'UTC')
  )`;
}

/** Whether less than half of what the chunks hold is in the range. */
function isTrimmed(startMs: number, endMs: number): boolean {
  return endMs - startMs < bucketSeconds * 1000;
}

export function chunkParams({ startMs, endMs }: SampleRequest, params: QueryParams): QueryParams {
  const clamp = (seconds: number) => Math.min(secondMax, Math.max(0, seconds));
  const trim = isTrimmed(startMs, endMs) ? { after: clampMs(startMs), until: clampMs(endMs) } : {};
  return {
    ...params,
    ...trim,
    bucketFirst: clamp(Math.floor(startMs / 1000) - bucketSeconds),
    bucketLast: clamp(Math.floor(endMs / 1000)),
  };
}

/** Within what the tables' DateTime keys hold; nothing is stored before 1970. */
function clampMs(ms: number): number {
  return Math.min(secondMax * 1000, Math.max(-1, Math.floor(ms)));
}
