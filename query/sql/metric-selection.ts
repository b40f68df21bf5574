/**
 * The series that one selector of one metric finds, and conditions that narrow sample rows to them. Kept for as long as
 * its query runs: what a plan has looked up is not looked up again.
 */
import { type LabelMatcher, metricNameLabel } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';
import type { SampleRequest } from '../promql/source.ts';
import { matchersSql } from './matcher-sql.ts';
import type { MetricRead } from './metric-read.ts';
import { resolveSeries, type StoredSeries } from './series.ts';

/** Longer lists of ids are asked for by a subquery. */
const idListMax = 1000;

export interface Selection {
  readonly matchers: readonly LabelMatcher[];
  /** Ordered by id. */
  readonly series: readonly StoredSeries[];
}

export interface SelectionSql {
  readonly sql: string;
  readonly params: QueryParams;
}

export type SelectSeries = (request: SampleRequest, abort: AbortSignal) => Promise<Selection>;

/** Rejects with LimitError beyond seriesMax. */
export function createSelections(read: MetricRead, seriesMax: number): SelectSeries {
  const known = new Map<string, Promise<Selection>>();
  return ({ matchers, startMs, endMs }, abort) => {
    const key = JSON.stringify([matchers, startMs, endMs]);
    let selection = known.get(key);
    if (selection === undefined) {
      selection = resolveSeries(read, matchers, { startMs, endMs }, seriesMax, abort).then((series) => ({
        matchers,
        series,
      }));
      known.set(key, selection);
    }
    return selection;
  };
}

/** Narrows rows of a table of samples to `series`, neighbours among the selection's. The selection must name its metric. */
export function selectionSql(
  { matchers, series: all }: Selection,
  series: readonly StoredSeries[],
): SelectionSql {
  const metric = matchers.find(({ name }) => name === metricNameLabel)?.value ?? '';
  const params: Record<string, QueryParams[string]> = { metric };
  const conditions = ['metric = {metric:String}'];
  if (series.length <= idListMax) {
    conditions.push("id IN (SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))");
    return { sql: conditions.join(' AND '), params: { ...params, ids: series.map(idText).join(',') } };
  }
  if (series.length < all.length) {
    conditions.push('id >= {idFirst:UInt64} AND id <= {idLast:UInt64}');
    params.idFirst = idText(series[0]);
    params.idLast = idText(series[series.length - 1]);
  }
  if (matchers.length === 1) return { sql: conditions.join(' AND '), params };
  const matched = matchersSql(matchers);
  conditions.push(`id IN (SELECT id FROM series WHERE ${matched.sql})`);
  return { sql: conditions.join(' AND '), params: { ...params, ...matched.params } };
}

function idText({ idHigh, idLow }: StoredSeries): string {
  return String((BigInt(idHigh) << 32n) | BigInt(idLow));
}

/**
 * The place of a series among those ordered by id. Rows mostly come in that order: it is looked for from `from` on, and all
 * over where it is not near.
 */
export function seekSeries(
  series: readonly StoredSeries[],
  from: number,
  idHigh: number,
  idLow: number,
): number {
  const next = from + 1;
  if (isSeries(series[next], idHigh, idLow)) return next;
  let low = 0;
  let high = series.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const one = series[middle];
    if (one.idHigh < idHigh || (one.idHigh === idHigh && one.idLow < idLow)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function isSeries(one: StoredSeries | undefined, idHigh: number, idLow: number): boolean {
  return one !== undefined && one.idHigh === idHigh && one.idLow === idLow;
}
