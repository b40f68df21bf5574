/**
 * Cells of five minutes from the chunks of a window. A cell is left-open and named by its right edge: the sample of
 * 02:00:00.000 is in the cell 02:00, though its chunk begins there. So a window has 25 cells, and the outer two take
 * samples of its neighbours' chunks too. Samples with one time are one, as everywhere.
 *
 * Within a cell, of its samples that are no stale markers (NaN of any other bits is a value, as for PromQL):
 *   n, t0, v0, t1, v1   how many, the first and the last
 *   resets              sum of x[i-1] over all i with x[i] < x[i-1]: increase = v1 - v0 + resets. Across cells A, B it
 *                       takes the same step: + A.v1 where B.v0 < A.v1
 *   reset_count         how many values `resets` is the sum of
 *   vmin, vmax          of those that are not NaN; NaN where all are
 *   vsum                plain sum, NaN where one is
 *   traits              1: all are integers (and so finite), 2: none is -0
 *   stale               the newest sample of the cell is a stale marker: an instant selector at its edge sees nothing
 *   version             samples of the cell in all chunk rows, markers and repeats included. It only grows, with what
 *                       the row was made from, so that the newest row wins without a clock
 * A cell of nothing but stale markers has no row. A cell is complete once neither samples_head nor samples_closing hold
 * a sample of it.
 */
import { takenSeriesSql } from './chunk-sql.ts';

/** 0x7ff0000000000002: what Prometheus writes where a series ends. */
const staleMarkerBits = '9218868437227405314';
const negativeZeroBits = '9223372036854775808';
const cellMs = 300_000;

/** Chunk rows of the series that the taken rows touch: the window's, and its neighbours' where they share a cell. */
function chunkRows(where: string): string {
  const taken = takenSeriesSql(where);
  return `
    SELECT tenant, metric, id, ts, v, (tenant, metric, id) IN (${taken} AND ts = from_time) AS has_left_edge
    FROM samples_chunk
    WHERE ${where}
      AND bucket IN (toDateTime({bucket:UInt32} - 7200, 'UTC'), toDateTime({bucket:UInt32}, 'UTC'),
        toDateTime({bucket:UInt32} + 7200, 'UTC'))
      AND (tenant, metric, id) IN (${taken})
      AND (bucket >= toDateTime({bucket:UInt32}, 'UTC') OR has_left_edge)`;
}

/** `where` is the slice's. */
export function insertCellsSql(where: string): string {
  return `
INSERT INTO samples_5m (tenant, metric, bucket, id, cell, t0, t1, v0, v1, n, resets, reset_count, vmin, vmax, vsum,
  traits, stale, version)
WITH toDateTime64({bucket:UInt32}, 3, 'UTC') AS from_time, toDateTime64({bucket:UInt32} + 7200, 3, 'UTC') AS to_time,
  t -> intDiv(toUnixTimestamp64Milli(t) + ${cellMs - 1}, ${cellMs}) AS cell_of,
  x -> isNaN(x) AND reinterpretAsUInt64(x) = ${staleMarkerBits} AS is_stale
SELECT tenant, metric, toDate(cell) AS bucket, id, toDateTime(cell_number * ${cellMs / 1000}, 'UTC') AS cell,
  minIf(t, is_live) AS t0, maxIf(t, is_live) AS t1, argMinIf(x, t, is_live) AS v0, argMaxIf(x, t, is_live) AS v1,
  countIf(is_live) AS n, sum(if(is_reset, before, 0)) AS resets, countIf(is_reset) AS reset_count,
  if(countIf(is_live AND NOT isNaN(x)) = 0, nan, minIf(x, is_live AND NOT isNaN(x))) AS vmin,
  if(countIf(is_live AND NOT isNaN(x)) = 0, nan, maxIf(x, is_live AND NOT isNaN(x))) AS vmax,
  sumIf(x, is_live) AS vsum,
  if(countIf(is_live AND NOT (isFinite(x) AND x = trunc(x))) = 0, 1, 0)
    + if(countIf(is_live AND reinterpretAsUInt64(x) = ${negativeZeroBits}) = 0, 2, 0) AS traits,
  argMaxIf(is_stale(x), t, is_last) AS stale, count() AS version
FROM (
  SELECT tenant, metric, id, t, x, is_live, is_last, before, is_reset, cell_of(t) AS cell_number
  FROM (
    SELECT tenant, metric, id, samples.1 AS ts, samples.2 AS v,
      arrayMap((t, next) -> t != next, ts, arrayPushBack(arrayPopFront(ts), addMilliseconds(ts[-1], 1))) AS lasts,
      arrayMap((x, last) -> last AND NOT is_stale(x), v, lasts) AS lives,
      arrayFill((x, live) -> live, v, lives) AS v_before, arrayFill((t, live) -> live, ts, lives) AS ts_before,
      arrayPushFront(arrayPopBack(v_before), v[1]) AS befores,
      arrayMap((x, t, live, p, q) -> live AND x < p AND cell_of(q) = cell_of(t), v, ts, lives, befores,
        arrayPushFront(arrayPopBack(ts_before), ts[1])) AS are_resets
    FROM (
      SELECT tenant, metric, id,
        if(arrayAll((t, next) -> t < next, arrayPopBack(times), arrayPopFront(times)), arrayZip(times, values),
          arraySort(s -> (s.1, NOT isNaN(s.2), s.2, reinterpretAsInt64(s.2)), arrayZip(times, values))) AS samples
      FROM (
        SELECT tenant, metric, id, groupArrayArray(arrayFilter(t -> t > from_edge AND t <= to_time, ts)) AS times,
          groupArrayArray(arrayFilter((x, t) -> t > from_edge AND t <= to_time, v, ts)) AS values
        FROM (
          SELECT *, if(has_left_edge, from_time - toIntervalMillisecond(${cellMs}), from_time) AS from_edge
          FROM (${chunkRows(where)})
        )
        GROUP BY tenant, metric, id
      )
      WHERE notEmpty(times)
    )
  )
  ARRAY JOIN ts AS t, v AS x, lives AS is_live, lasts AS is_last, befores AS before, are_resets AS is_reset
)
GROUP BY tenant, metric, id, cell_number
HAVING n > 0`;
}
