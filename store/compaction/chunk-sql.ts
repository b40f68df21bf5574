/**
 * Rows into chunks, and the check that none is missing before the rows go.
 *
 * Of samples of one series with one time the largest value wins and NaN loses, as in the query's merge of runs; the
 * rest of the order (a stale marker loses to any other NaN, -0 to 0) makes the outcome a function of the samples alone.
 * Values are moved, never computed: a NaN keeps its bits.
 */

/** Last of equal times: the sample that stays. Beware of max(), which does not know how to order a NaN. */
const sampleOrder = 'tenant, metric, id, ts, isNaN(v) DESC, v, reinterpretAsInt64(v)';

/** Rows of the parts that a compaction has taken on. Rows without a tenant are notes of ingest about itself. */
const takenRows = `FROM samples_closing
  WHERE _partition_id = {partition:String} AND _part IN {parts:Array(String)} AND tenant != ''`;

/** For what late samples touch: few series out of many, found by the sort key. `where` is the slice's. */
export function takenSeriesSql(where: string): string {
  return `SELECT tenant, metric, id ${takenRows} AND ${where}`;
}

/** How the samples are spread, in the order of the key; names as hex digits. */
export const metricCountsSql = `
SELECT hex(tenant) AS tenant_hex, hex(metric) AS metric_hex, count() AS samples, uniqExact(id) AS series
${takenRows}
GROUP BY tenant, metric ORDER BY tenant, metric`;

/** One row per series, sorted by time, each time once. `where` is the slice's. */
export function insertChunksSql(where: string): string {
  return `
INSERT INTO samples_chunk (tenant, metric, bucket, id, ts, v)
SELECT tenant, metric, toDateTime({bucket:UInt32}, 'UTC') AS bucket, id,
  arrayFilter((t, last) -> last, times, is_last) AS ts, arrayFilter((x, last) -> last, samples, is_last) AS v
FROM (
  SELECT tenant, metric, id, groupArray(ts) AS times, groupArray(v) AS samples,
    arrayMap((t, next) -> t != next, times,
      arrayPushBack(arrayPopFront(times), addMilliseconds(times[-1], 1))) AS is_last
  FROM (SELECT tenant, metric, id, ts, v ${takenRows} AND ${where} ORDER BY ${sampleOrder})
  GROUP BY tenant, metric, id
)
ORDER BY tenant, metric, bucket, id`;
}

/**
 * Counts the series of a slice that have fewer samples in chunks than in the rows: more than none may mean that an
 * insert was taken for a repeat and was not one. `rows` counts repeats of a time too, and is cheap; `times` does not.
 */
export function missingSeriesSql(where: string, count: 'rows' | 'times'): string {
  return `
SELECT count() AS missing FROM (
  SELECT tenant, metric, id, ${count === 'rows' ? 'count()' : 'uniqExact(ts)'} AS n ${takenRows} AND ${where}
  GROUP BY tenant, metric, id
) AS taken LEFT JOIN (
  SELECT tenant, metric, id, sum(length(ts)) AS n FROM samples_chunk
  WHERE bucket = toDateTime({bucket:UInt32}, 'UTC') AND ${where} AND (tenant, metric, id) IN (${takenSeriesSql(where)})
  GROUP BY tenant, metric, id
) AS chunk USING (tenant, metric, id)
WHERE chunk.n < taken.n`;
}
