/** The `exemplars` table: example observations of series, by matchers and time. */
import type { LabelMatcher } from '#model/labels.ts';
import type { Exemplar, SeriesExemplars, TimeRange } from '../promql/source.ts';
import { parseFloatText } from './float-text.ts';
import type { MetricRead } from './metric-read.ts';
import { compareLabels, rowLabels, seriesSql } from './series.ts';

interface SeriesRow {
  readonly seriesId: string;
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface ExemplarRow {
  readonly seriesId: string;
  readonly timeMs: string;
  readonly value: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The last millisecond that the table can hold. */
const timeMsMax = 4_294_967_295_999;

/**
 * Series that match any of the lists and have exemplars in the range, sorted by labels; their exemplars by time, each
 * once. `limit` counts exemplars.
 */
export async function listExemplars(
  read: MetricRead,
  lists: readonly (readonly LabelMatcher[])[],
  range: TimeRange,
  limit: number,
): Promise<SeriesExemplars[]> {
  const { sql, params } = seriesSql(lists, range);
  const clamp = (ms: number) => Math.min(timeMsMax, Math.max(0, Math.floor(ms)));
  // A sender may repeat an exemplar: equal rows are one.
  const rows = await read.rows<ExemplarRow>(
    `SELECT DISTINCT toString(id) AS seriesId, toString(toUnixTimestamp64Milli(ts)) AS timeMs, toString(v) AS value, labels
     FROM exemplars
     WHERE metric IN (SELECT metric FROM series WHERE ${sql}) AND id IN (SELECT id FROM series WHERE ${sql})
       AND ts >= fromUnixTimestamp64Milli({first:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({last:Int64}, 'UTC')
     ORDER BY id, ts LIMIT {rowsMax:UInt64}`,
    { ...params, first: clamp(range.startMs), last: clamp(range.endMs), rowsMax: limit },
  );
  if (rows.length === 0) return [];
  const bySeries = new Map<string, Exemplar[]>();
  for (const { seriesId, timeMs, value, labels } of rows) {
    const exemplar = { labels: Object.entries(labels), timeMs: Number(timeMs), value: parseFloatText(value) };
    const known = bySeries.get(seriesId);
    if (known === undefined) bySeries.set(seriesId, [exemplar]);
    else known.push(exemplar);
  }
  const series = await read.rows<SeriesRow>(
    `SELECT toString(id) AS seriesId, metric, labels FROM series WHERE ${sql} ORDER BY id LIMIT 1 BY id`,
    params,
  );
  return series
    .flatMap((row) => {
      const exemplars = bySeries.get(row.seriesId);
      return exemplars === undefined ? [] : [{ labels: rowLabels(row), exemplars }];
    })
    .sort((a, b) => compareLabels(a.labels, b.labels));
}
