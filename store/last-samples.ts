/**
 * The last sample of each of some series, wherever a compaction has put it, and since when it counts.
 *
 *   series 7: 3 at 10:00 in samples_chunk, 5 at 12:00 in samples_closing, nothing in samples_head  ->  5 at 12:00
 *
 * Contract: whoever holds a series, so that none of its samples is on its way into the store, finds all that were stored,
 * even while a compaction runs, dies or fails for good. Samples go from head to closing to chunk, and are written
 * at the next place before they leave the last (compaction/closing-parts.ts). The tables are asked in that order, by one
 * statement after the other: what has left a table before it is read is in a later one, which is read later. The other
 * way round, or in one statement, where nothing says which table is read first, a move could hide a sample.
 */
import { idList, idsText, metricNames, type SeriesKey, seriesKeyParts } from './series-key.ts';
import type { Store } from './store.ts';

export interface LastSample {
  readonly id: string;
  /** Time of the last sample, stale markers included, in ms since 1970. */
  readonly lastMs: number;
  /** Of the last sample that is no stale marker; 0 where there is none. */
  readonly value: number;
  /** Since when the series counts, as of its last sample, in ms since 1970; 0 where that is not known. */
  readonly startMs: number;
}

/** Parameters travel in the query's text, which may be 256 KiB long: so many ids and times stay below it. */
const idsPerQuery = 2000;
const bucketMs = 7_200_000;

const isStale = 'reinterpretAsUInt64(value) = 0x7ff0000000000002';
/** Times and values of rows that may be of the series, for each table on the way of a sample, in its order. */
const sources = [
  ...['samples_head', 'samples_closing'].map(
    (table) => `SELECT id, ts AS at, v AS value FROM ${table}
    WHERE metric IN {metrics:Array(String)} AND id IN ${idList}
      AND ts >= fromUnixTimestamp64Milli({after:Int64}, 'UTC')`,
  ),
  `SELECT id, at, value FROM samples_chunk ARRAY JOIN ts AS at, v AS value
    WHERE metric IN {metrics:Array(String)} AND id IN ${idList}
      AND bucket >= fromUnixTimestamp64Milli({bucketAfter:Int64}, 'UTC')`,
];

/** The last sample and the last value; where a time has several, the largest one counts and NaN loses, as everywhere. */
const statements = sources.map(
  (source) => `
SELECT toString(id) AS id, toString(toUnixTimestamp64Milli(max(at))) AS last_ms,
  toString(toUnixTimestamp64Milli(maxIf(at, NOT (${isStale})))) AS value_ms,
  toString(reinterpretAsUInt64(argMaxIf(value, (at, NOT isNaN(value), value), NOT (${isStale})))) AS bits
FROM (${source}) GROUP BY id`,
);

/**
 * Starts are said again in every two hours, from the first sample there that has one: what is said of the bucket that the
 * last sample is in, at that sample or before. A start whose samples did not land comes after it.
 */
const startStatement = `
SELECT toString(id) AS id, toString(toUnixTimestamp64Milli(argMax(start_ts, ts))) AS start_ms
FROM sample_starts WHERE metric IN {metrics:Array(String)} AND id IN ${idList}
  AND ts >= fromUnixTimestamp64Milli({bucketAfter:Int64}, 'UTC')
  AND toUnixTimestamp64Milli(ts) <= transform(id, arrayMap(x -> toUInt64(x), splitByChar(',', {ids:String})),
    arrayMap(x -> toInt64(x), splitByChar(',', {lasts:String})), toInt64(-1))
GROUP BY id`;

interface StartRow {
  readonly id: string;
  readonly start_ms: string;
}

interface LastRow {
  readonly id: string;
  readonly last_ms: string;
  /** Of what `bits` are the value; 0 where all samples are stale markers. */
  readonly value_ms: string;
  readonly bits: string;
}

interface Latest {
  lastMs: number;
  valueMs: number;
  value: number;
  startMs: number;
}

/**
 * Returns what there is from `afterMs` on, a little older perhaps; series without a sample are missing. Rejects with
 * StoreError. Keys of one metric should come together.
 */
export async function selectLastSamples(
  store: Store,
  tenant: string,
  keys: readonly SeriesKey[],
  afterMs: number,
): Promise<LastSample[]> {
  const after = Math.max(0, Math.floor(afterMs));
  const latest = new Map<string, Latest>();
  for (const some of seriesKeyParts(keys, idsPerQuery)) {
    const params = {
      metrics: metricNames(some),
      ids: idsText(some),
      after,
      bucketAfter: Math.max(0, after - bucketMs),
    };
    for (const sql of statements)
      for (const row of await store.rows<LastRow>(sql, { tenant, params })) merge(latest, row);
    const found = some.filter(({ id }) => latest.has(id));
    if (found.length === 0) continue;
    const lasts = found.map(({ id }) => latest.get(id)!.lastMs);
    const startParams = { ...params, ids: idsText(found), lasts: lasts.join() };
    const starts = await store.rows<StartRow>(startStatement, { tenant, params: startParams });
    for (const { id, start_ms } of starts) latest.get(id)!.startMs = Number(start_ms);
  }
  return Array.from(latest, ([id, { lastMs, value, startMs }]) => ({ id, lastMs, value, startMs }));
}

function merge(latest: Map<string, Latest>, row: LastRow): void {
  const [lastMs, valueMs, value] = [Number(row.last_ms), Number(row.value_ms), doubleOf(row.bits)];
  const known = latest.get(row.id);
  if (known === undefined) {
    latest.set(row.id, { lastMs, valueMs, value, startMs: 0 });
    return;
  }
  known.lastMs = Math.max(known.lastMs, lastMs);
  const isLarger = value > known.value || Number.isNaN(known.value);
  if (valueMs < known.valueMs || (valueMs === known.valueMs && !isLarger)) return;
  known.valueMs = valueMs;
  known.value = value;
}

const view = new DataView(new ArrayBuffer(8));

function doubleOf(bits: string): number {
  view.setBigUint64(0, BigInt(bits));
  return view.getFloat64(0);
}
