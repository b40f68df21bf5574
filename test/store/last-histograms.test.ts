/**
 * Goal: the last native histogram of a series comes back as it was stored, number by number.
 * Method: rows in the real embedded store, read back as the numbers that the worker's codec makes of the same histogram.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type LastHistogram, selectLastHistograms } from '#store/last-histograms.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '../query/sql/open-test-store.ts';

let opened: TestStore;
let store: Store;
beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(() => store.exec('TRUNCATE TABLE histograms_head'));

const timeMs = Date.UTC(2026, 10, 26);
const tenant = 'a';

interface Stored {
  readonly series: number | string;
  readonly atMs?: number;
  readonly startMs?: number;
  readonly count?: number;
  /** SQL. */
  readonly sum?: string;
  readonly rest?: string;
  readonly tenant?: string;
}

const stale = 'reinterpretAsFloat64(toUInt64(0x7ff0000000000002))';

async function insert(...rows: readonly Stored[]): Promise<void> {
  for (const {
    series,
    atMs = 0,
    startMs = 0,
    count = 0,
    sum = '0',
    rest = '',
    tenant: of = tenant,
  } of rows) {
    const others = rest === '' ? '0, 8, 0, 0, [], [], [], [], [], [], []' : rest;
    await store.exec(
      `INSERT INTO histograms_head (tenant, metric, id, ts, start_ts, count, sum, reset_hint, schema, zero_threshold,
         zero_count, positive_offsets, positive_lengths, positive_counts, negative_offsets, negative_lengths,
         negative_counts, custom_values)
       SELECT '${of}', 'm', ${series}, fromUnixTimestamp64Milli(${timeMs + atMs}), fromUnixTimestamp64Milli(${startMs}),
         ${count}, ${sum}, ${others}`,
    );
  }
}

async function last(ids: readonly (number | string)[], afterMs = 0): Promise<LastHistogram[]> {
  const keys = ids.map((id) => ({ metric: 'm', id: `${id}` }));
  const found: LastHistogram[] = [];
  for await (const one of selectLastHistograms(store, tenant, keys, afterMs)) found.push(one);
  return found.sort((a, b) => Number(a.id) - Number(b.id));
}

test('all numbers of the last histogram come back, the sum by its bits', async () => {
  const id = '18446744073709551615';
  const rest =
    '0, -4, 1e-128, 2, [-2147483647, 7], [2, 1], [9007199254740991.0, 0.1, 3.0], [5], [1], [4], []';
  await insert({ series: id, startMs: 5, count: 7, sum: '-1/3', rest }, { series: 1, sum: 'nan' });
  await insert({
    series: 2,
    count: 3,
    rest: '0, -53, 0, 0, [0], [3], [1, 0, 2], [], [], [], [-1.5, 5e-324]',
  });
  const [nan, custom, exponential] = await last([id, 1, 2]);
  expect(exponential).toEqual({
    id,
    lastMs: timeMs,
    startMs: 5,
    cells: Float64Array.of(
      ...[-4, 7, -1 / 3, 1e-128, 2],
      ...[2, 3, -2147483647, 7, 2, 1, 9007199254740991, 0.1, 3],
      ...[1, 1, 5, 1, 4],
      0,
    ),
  });
  expect([...custom!.cells]).toEqual([-53, 3, 0, 0, 0, 1, 3, 0, 3, 1, 0, 2, 0, 0, 2, -1.5, 5e-324]);
  expect([...nan!.cells]).toEqual([8, 0, Number.NaN, 0, 0, 0, 0, 0, 0, 0]);
});

test('the newest counts, of several at one time the one with most observations; stale markers are times only', async () => {
  await insert(
    { series: 1, atMs: 0, count: 9, startMs: 1 },
    { series: 1, atMs: 10, count: 3, startMs: 2 },
    { series: 1, atMs: 10, count: 4, startMs: 3 },
    { series: 1, atMs: 20, sum: stale },
    { series: 2, atMs: 20, sum: stale },
    { series: 3, count: 5, tenant: 'other' },
  );
  const found = (await last([1, 2, 3])).map(({ cells, ...rest }) => ({ ...rest, count: cells[1] }));
  expect(found).toEqual([
    { id: '1', lastMs: timeMs + 20, startMs: 3, count: 4 },
    { id: '2', lastMs: timeMs + 20, startMs: 0, count: undefined },
  ]);
  expect(await last([1], timeMs + 21)).toEqual([]);
});

test('more series than a query holds are all found, and who has enough asks no more', async () => {
  await store.exec(
    `INSERT INTO histograms_head (tenant, metric, id, ts, count) SELECT 'a', 'm', number,
     fromUnixTimestamp64Milli(${timeMs}), number FROM numbers(1000)`,
  );
  const ids = Array.from({ length: 1000 }, (_, id) => id);
  expect((await last(ids)).map(({ cells }) => cells[1])).toEqual(ids);
  let readCount = 0;
  const counting: Store = Object.assign(Object.create(store), {
    rows(...call: Parameters<Store['rows']>) {
      readCount++;
      return store.rows(...call);
    },
  });
  const keys = ids.map((id) => ({ metric: 'm', id: `${id}` }));
  for await (const _ of selectLastHistograms(counting, tenant, keys, 0)) break;
  // Its times, and then what is the newest of each.
  expect(readCount).toBe(2);
});
