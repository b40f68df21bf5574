/**
 * The last native histogram of each of some series, as numbers in a row: what delta histograms are added to.
 *
 *   histogram => schema count sum zero_threshold zero_count positive:side negative:side bound_count bound*
 *   side      => span_count bucket_count offset* length* count*
 *
 * No compaction moves them: histograms_head is the only table they are in.
 */
import { idList, idsText, metricNames, type SeriesKey, seriesKeyParts } from './series-key.ts';
import type { Store } from './store.ts';

export interface LastHistogram {
  readonly id: string;
  /** Time of the last histogram, stale markers included, in ms since 1970. */
  readonly lastMs: number;
  /** The last one that is no stale marker; empty where there is none. */
  readonly cells: Float64Array;
  /** Since when that one counts, in ms since 1970; 0 where it is not known. */
  readonly startMs: number;
}

/** An answer has up to 25,000 numbers for each: 80 MB of text at worst, and a few hundred kilobytes mostly. */
const idsPerQuery = 200;

const isStale = 'reinterpretAsUInt64(sum) = 0x7ff0000000000002';
const side = (name: 'positive' | 'negative'): string => {
  const [offsets, lengths, counts] = ['offsets', 'lengths', 'counts'].map((part) => `${name}_${part}`);
  return `[toFloat64(length(${offsets})), toFloat64(length(${counts}))],
    arrayMap(x -> toFloat64(x), ${offsets}), arrayMap(x -> toFloat64(x), ${lengths}), ${counts}`;
};
/** The sum goes beside them as its bits: it may be one of the values that JSON has no number for. */
const cells = `arrayConcat([toFloat64(schema), count, 0, zero_threshold, zero_count],
    ${side('positive')}, ${side('negative')}, [toFloat64(length(custom_values))], custom_values)`;
const sumCell = 2;

const ofSeries = `metric IN {metrics:Array(String)} AND id IN ${idList}
  AND ts >= fromUnixTimestamp64Milli({after:Int64}, 'UTC')`;

/** Reads nothing but times and sums: the buckets of an hour are hundreds of times as many as those of one histogram. */
const timesStatement = `
SELECT toString(id) AS id, toString(toUnixTimestamp64Milli(max(ts))) AS last_ms,
  toString(toUnixTimestamp64Milli(maxIf(ts, NOT (${isStale})))) AS newest_ms
FROM histograms_head WHERE ${ofSeries} GROUP BY id`;

/** Of several at one time, the one that counts most is the last. */
const statement = `
SELECT toString(id) AS id,
  argMaxIf((toString(toUnixTimestamp64Milli(start_ts)), toString(reinterpretAsUInt64(sum)), ${cells}), count,
    NOT (${isStale})) AS newest
FROM histograms_head
PREWHERE toUnixTimestamp64Milli(ts) = transform(id, arrayMap(x -> toUInt64(x), splitByChar(',', {ids:String})),
  arrayMap(x -> toInt64(x), splitByChar(',', {times:String})), toInt64(-1))
WHERE ${ofSeries} GROUP BY id`;

interface TimesRow {
  readonly id: string;
  readonly last_ms: string;
  /** 0 where all histograms are stale markers. */
  readonly newest_ms: string;
}

interface Row {
  readonly id: string;
  readonly newest: readonly [startMs: string, sumBits: string, cells: readonly (number | null)[]];
}

/**
 * Yields what there is from `afterMs` on; series without a histogram are missing. Rejects with StoreError. Keys of one
 * metric should come together. Whoever stops early has asked for no more than a part.
 */
export async function* selectLastHistograms(
  store: Store,
  tenant: string,
  keys: readonly SeriesKey[],
  afterMs: number,
): AsyncGenerator<LastHistogram> {
  const after = Math.max(0, Math.floor(afterMs));
  for (const some of seriesKeyParts(keys, idsPerQuery)) {
    const params = { metrics: metricNames(some), ids: idsText(some), after };
    const times = await store.rows<TimesRow>(timesStatement, { tenant, params });
    const newest = new Map<string, Row['newest']>();
    const counting = times.filter(({ newest_ms }) => newest_ms !== '0');
    if (counting.length > 0) {
      const newestParams = {
        ...params,
        ids: idsText(counting),
        times: counting.map(({ newest_ms }) => newest_ms).join(),
        after: Math.min(...counting.map(({ newest_ms }) => Number(newest_ms))),
      };
      const rows = await store.rows<Row>(statement, { tenant, params: newestParams });
      for (const row of rows) newest.set(row.id, row.newest);
    }
    for (const { id, last_ms } of times) {
      const [startMs, sumBits, numbers] = newest.get(id) ?? ['0', '0', []];
      yield { id, lastMs: Number(last_ms), startMs: Number(startMs), cells: cellsOf(numbers, sumBits) };
    }
  }
}

function cellsOf(numbers: readonly (number | null)[], sumBits: string): Float64Array {
  const found = new Float64Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) found[i] = numbers[i] ?? Number.NaN;
  if (found.length > 0) new BigUint64Array(found.buffer)[sumCell] = BigInt(sumBits);
  return found;
}
