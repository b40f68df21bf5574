/** The last sample of each of some series, wherever a compaction has put it. */
import type { Store } from './store.ts';

export interface SeriesKey {
  readonly metric: string;
  /** Decimal text of the 64 bits. */
  readonly id: string;
}

export interface LastSample {
  readonly id: string;
  /** Time of the last sample, stale markers included, in ms since 1970. */
  readonly lastMs: number;
  /** Of the last sample that is no stale marker; 0 where there is none. */
  readonly value: number;
}

/** Parameters travel in the query's text, which may be 256 KiB long: so many ids and bytes of names stay below it. */
const idsPerQuery = 2000;
const metricBytesPerQuery = 64 * 1024;
const bucketMs = 7_200_000;

const idList = "(SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))";
const isStale = 'reinterpretAsUInt64(v) = 0x7ff0000000000002';
/** Where a time has several samples, the largest one counts, as everywhere. */
const sql = `
SELECT toString(id) AS id, toString(toUnixTimestamp64Milli(max(ts))) AS last_ms,
  toString(reinterpretAsUInt64(argMaxIf(v, (ts, v), NOT (${isStale})))) AS bits
FROM (
  SELECT id, ts, v FROM samples_head
  WHERE metric IN {metrics:Array(String)} AND id IN ${idList}
    AND ts >= fromUnixTimestamp64Milli({after:Int64}, 'UTC')
  UNION ALL
  SELECT id, at, value FROM samples_chunk ARRAY JOIN ts AS at, v AS value
  WHERE metric IN {metrics:Array(String)} AND id IN ${idList}
    AND bucket >= fromUnixTimestamp64Milli({bucketAfter:Int64}, 'UTC')
) GROUP BY id`;

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
  const found: LastSample[] = [];
  for (const some of parts(keys)) {
    const rows = await store.rows<{ id: string; last_ms: string; bits: string }>(sql, {
      tenant,
      params: {
        metrics: [...new Set(some.map(({ metric }) => metric))],
        ids: some.map(({ id }) => id).join(),
        after,
        bucketAfter: Math.max(0, after - bucketMs),
      },
    });
    for (const { id, last_ms, bits } of rows)
      found.push({ id, lastMs: Number(last_ms), value: doubleOf(bits) });
  }
  return found;
}

function* parts(keys: readonly SeriesKey[]): Generator<readonly SeriesKey[]> {
  let start = 0;
  let bytes = 0;
  for (let end = 0; end < keys.length; end++) {
    const isNamed = end > start && keys[end].metric === keys[end - 1].metric;
    if (!isNamed) bytes += Buffer.byteLength(keys[end].metric);
    if (end - start < idsPerQuery && bytes <= metricBytesPerQuery) continue;
    yield keys.slice(start, end);
    start = end;
    bytes = Buffer.byteLength(keys[end].metric);
  }
  if (start < keys.length) yield keys.slice(start);
}

const view = new DataView(new ArrayBuffer(8));

function doubleOf(bits: string): number {
  view.setBigUint64(0, BigInt(bits));
  return view.getFloat64(0);
}
