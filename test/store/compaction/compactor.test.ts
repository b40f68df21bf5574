/**
 * Goal: compaction moves every sample and changes none, whatever arrives meanwhile and whoever reads or compacts too.
 * Method: the real engine; what the query's source returns must be, at every step, what a plain map of the inserted
 * samples says, bit for bit.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CompactionOptions, compactClosed } from '#store/compaction/compactor.ts';
import type { CompactionStep } from '#store/compaction/window.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '../../query/sql/open-test-store.ts';
import { storeOver } from '../../support/store-over.ts';
import {
  bitsOf,
  dayMs,
  expectedSamples,
  hourMs,
  insertSamples,
  insertSeries,
  payloadBits,
  readSamples,
  type StoredSample,
  sorted,
  staleBits,
} from './stored-samples.ts';

/** Dozens of statements a test, each written through to the disk. */
vi.setConfig({ testTimeout: 120_000 });

let opened: TestStore;
let store: Store;
const seriesCount = 5;
const never = new AbortController().signal;
const failures: object[] = [];
const log = { info: () => {}, error: (fields: object) => void failures.push(fields) };
const sampleTables = ['samples_head', 'samples_closing', 'samples_chunk', 'samples_5m'] as const;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  await insertSeries(store, seriesCount);
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(async () => {
  failures.length = 0;
  for (const table of sampleTables) await store.exec(`TRUNCATE TABLE ${table}`);
});

function compact(options: Partial<CompactionOptions> = {}, abort = never, over = store) {
  return compactClosed(
    over,
    { latenessMs: 0, nowMs: dayMs + 24 * hourMs, log, sliceSamplesMax: 30, ...options },
    abort,
  );
}

/** The store as another process has it: who holds it waits for no turn of ours. */
const elsewhere = () => storeOver(store);

async function count(table: string, where = '1'): Promise<number> {
  const [row] = await store.rows<{ n: string }>(`SELECT count() AS n FROM ${table} WHERE ${where}`);
  return Number(row?.n);
}

const sample = (series: number, timeMs: number, value: number | bigint): StoredSample => ({
  series,
  timeMs,
  bits: typeof value === 'bigint' ? value : bitsOf(value),
});

async function expectExactly(samples: readonly StoredSample[]): Promise<void> {
  expect(sorted(await readSamples(store))).toEqual(expectedSamples(samples));
}

/** Every 15 minutes from 00:07:30 on. */
function steady(until: number): StoredSample[] {
  const samples: StoredSample[] = [];
  for (let series = 1; series <= seriesCount; series++)
    for (let at = dayMs + hourMs / 8; at < until; at += hourMs / 4)
      samples.push(sample(series, at, series * at));
  return samples;
}

test('a closed window becomes one sorted chunk row for each series, an open one stays', async () => {
  const samples = steady(dayMs + 6 * hourMs);
  await insertSamples(store, samples.toReversed());
  const nowMs = dayMs + 4 * hourMs + 900_000;
  const done = await compact({ nowMs: nowMs - 1, latenessMs: 900_000 });
  expect(done.map(({ window }) => window)).toEqual(['2026-11-10T00:00:00.000Z']);
  expect(await compact({ nowMs, latenessMs: 900_000 })).toEqual([
    { window: '2026-11-10T02:00:00.000Z', samples: 40, series: 5, isLate: false },
  ]);
  expect(await compact({ nowMs, latenessMs: 900_000 })).toEqual([]);
  expect(await count('samples_head')).toBe(40);
  expect(await count('samples_closing')).toBe(0);
  expect(await count('samples_chunk', 'ts = arraySort(ts) AND length(ts) = 8 AND length(v) = 8')).toBe(10);
  await expectExactly(samples);
  expect(failures).toEqual([]);
});

describe('of samples with one time', () => {
  test.each([
    { name: 'the largest value stays', values: [2, 7, -3], stays: bitsOf(7) },
    {
      name: 'a NaN loses, even to -Inf',
      values: [payloadBits, -Infinity, staleBits],
      stays: bitsOf(-Infinity),
    },
    { name: 'a stale marker loses to a NaN', values: [payloadBits, staleBits], stays: payloadBits },
    { name: 'a stale marker alone keeps its bits', values: [staleBits, staleBits], stays: staleBits },
    {
      name: 'a negative NaN loses to a stale marker',
      values: [0xfff8000000000001n, staleBits],
      stays: staleBits,
    },
    { name: '-0 loses to 0', values: [0, -0], stays: bitsOf(0) },
  ])('$name', async ({ values, stays }) => {
    const at = dayMs + 1000;
    const last = sample(1, dayMs + 1001, 1);
    await insertSamples(store, [...values.map((value) => sample(1, at, value)), last]);
    await compact();
    expect(await count('samples_chunk', 'length(ts) = 2')).toBe(1);
    await expectExactly([sample(1, at, stays), last]);
    // And so it is where they meet later.
    for (const value of values.toReversed()) await insertSamples(store, [sample(1, at, value)]);
    await expectExactly([sample(1, at, stays), last]);
    await compact();
    await expectExactly([sample(1, at, stays), last]);
  });
});

test('notes that ingest keeps in the head without a tenant are not samples', async () => {
  await store.exec(
    `INSERT INTO samples_head SELECT '', 'note', 1, fromUnixTimestamp64Milli(${dayMs}, 'UTC'), 1`,
  );
  expect(await compact()).toEqual([
    { window: '2026-11-10T00:00:00.000Z', samples: 0, series: 0, isLate: false },
  ]);
  expect(await count('samples_head')).toBe(0);
  expect(await count('samples_chunk')).toBe(0);
});

test('late rows join what is there, and merges of the engine fold them', async () => {
  const samples = steady(dayMs + 2 * hourMs);
  await insertSamples(store, samples);
  await compact();
  const late = [sample(2, dayMs + 1, 1), sample(2, samples[3]!.timeMs, 1e300), sample(4, dayMs + hourMs, 4)];
  await insertSamples(store, late);
  await expectExactly([...samples, ...late]);
  expect(await compact()).toMatchObject([{ samples: 3, series: 2, isLate: true }]);
  expect(await count('samples_chunk')).toBe(seriesCount + 2);
  await expectExactly([...samples, ...late]);
  await store.exec('OPTIMIZE TABLE samples_chunk FINAL');
  expect(await count('samples_chunk')).toBe(seriesCount);
  await expectExactly([...samples, ...late]);
});

test('a reader sees everything once at every step, and rows that arrive at any step are kept', async () => {
  const samples = steady(dayMs + 4 * hourMs);
  await insertSamples(store, samples);
  const steps: CompactionStep[] = [];
  await compact({
    failpoint: async (step) => {
      await expectExactly(samples);
      const late = sample(1 + (steps.length % seriesCount), dayMs + steps.length, steps.length);
      await insertSamples(store, [late]);
      samples.push(late);
      steps.push(step);
      await expectExactly(samples);
    },
  });
  expect(new Set(steps)).toEqual(new Set(['move', 'chunk', 'cells', 'drop', 'finish']));
  expect(failures).toEqual([]);
  await compact();
  await expectExactly(samples);
  expect(await count('samples_head')).toBe(0);
});

test('readers that never pause see every sample, once, while windows go by', async () => {
  const samples = steady(dayMs + 8 * hourMs);
  await insertSamples(store, samples);
  const expected = expectedSamples(samples);
  const stop = new AbortController();
  let reads = 0;
  const read = async () => {
    while (!stop.signal.aborted) {
      expect(sorted(await readSamples(store))).toEqual(expected);
      reads++;
    }
  };
  const readers = [read(), read()];
  const done = await compact();
  stop.abort();
  await Promise.all(readers);
  expect(done).toHaveLength(4);
  expect(reads).toBeGreaterThan(3);
});

test('two compactions at once do no harm, and insert once where they read the same', async () => {
  const samples = steady(dayMs + 4 * hourMs);
  for (let part = 0; part < 3; part++)
    await insertSamples(
      store,
      samples.filter((_, i) => i % 3 === part),
    );
  await Promise.all([compact(), compact({}, never, elsewhere())]);
  await compact();
  expect(failures).toEqual([]);
  await expectExactly(samples);

  // In step: both have read the parts before either drops one.
  const more = samples.map(({ series, timeMs, bits }) => ({ series, timeMs: timeMs + 1, bits }));
  await insertSamples(store, more);
  const chunked = async () => {
    const [row] = await store.rows<{ n: string }>('SELECT sum(length(ts)) AS n FROM samples_chunk');
    return Number(row?.n);
  };
  const before = await chunked();
  const other = { begun: false };
  await compact({
    failpoint: async (step) => {
      if (step !== 'drop' || other.begun) return;
      other.begun = true;
      await compact({}, never, elsewhere());
    },
  });
  expect(other.begun).toBe(true);
  expect(failures).toEqual([]);
  expect(await chunked()).toBe(before + more.length);
  await expectExactly([...samples, ...more]);
});

test('what another compaction has moved aside meanwhile is not dropped', async () => {
  const samples = steady(dayMs + 2 * hourMs);
  await insertSamples(store, samples);
  const late = sample(1, dayMs + 1, 1);
  const stop = new Error('it dies after its move');
  await compact({
    failpoint: async (step) => {
      if (step !== 'drop') return;
      await insertSamples(store, [late]);
      const dying = (next: string) => {
        if (next === 'chunk') throw stop;
      };
      await compact({ failpoint: dying }, never, elsewhere());
    },
  });
  expect(failures).toEqual([{ window: String(dayMs / 1000), error: stop.message }]);
  expect(await count('samples_closing')).toBe(1);
  await expectExactly([...samples, late]);
  await compact();
  await expectExactly([...samples, late]);
});

test('a slice whose token is remembered, but whose chunks are gone, is inserted again', async () => {
  const samples = steady(dayMs + 2 * hourMs);
  await insertSamples(store, samples);
  await compact({
    sliceSamplesMax: 1000,
    failpoint: async (step) => {
      if (step !== 'cells') return;
      await store.exec('DELETE FROM samples_chunk WHERE id = 3');
      throw new Error('stop here');
    },
  });
  expect(failures).toMatchObject([{ error: 'stop here' }]);
  expect(await count('samples_chunk')).toBe(seriesCount - 1);
  expect(await compact({ sliceSamplesMax: 1000 })).toHaveLength(1);
  expect(await count('samples_closing')).toBe(0);
  expect(await count('samples_chunk', 'id = 3')).toBe(1);
  await expectExactly(samples);
});

test('rows stay where no insert brings their chunks', async () => {
  const samples = steady(dayMs + 2 * hourMs);
  await insertSamples(store, samples);
  // A table that takes rows and shows none: what a broken disk or a wrong grant may look like.
  const blind = storeOver(store, {
    exec: (sql, options) =>
      sql.includes('INSERT INTO samples_chunk') ? Promise.resolve() : store.exec(sql, options),
  });
  const options = { latenessMs: 0, nowMs: dayMs + 24 * hourMs, log };
  expect(await compactClosed(blind, options, never)).toEqual([]);
  const error = `samples of ${dayMs / 1000} are not in samples_chunk after their insert`;
  expect(failures).toMatchObject([{ error }]);
  expect(await count('samples_closing')).toBe(samples.length);
  await expectExactly(samples);
});

test('many series of many tenants go slice by slice, every bit of them', async () => {
  const checksum = (from: string) =>
    store.rows(
      `SELECT count() AS n, sum(cityHash64(tenant, metric, id, t, reinterpretAsUInt64(x))) AS hash FROM (${from})`,
    );
  // 2,000 series of 20 metrics and 4 tenants, 2 h at 15 s; every 97th sample is a stale marker or another NaN.
  for (let quarter = 0; quarter < 4; quarter++) {
    await store.exec(
      `INSERT INTO samples_head SELECT concat('t', toString(s % 4)), concat('m', toString(s % 20)), sipHash64(s),
         fromUnixTimestamp64Milli(toInt64(${dayMs} + i * 15000 + s % 15000), 'UTC'),
         if(number % 97 = 0, reinterpretAsFloat64(toUInt64(if(s % 2 = 0, ${staleBits}, ${payloadBits}))), i * s + number % 7)
       FROM (SELECT number, number % 2000 AS s, ${quarter * 120} + intDiv(number, 2000) AS i FROM numbers(240000))`,
    );
  }
  const before = await checksum('SELECT tenant, metric, id, ts AS t, v AS x FROM samples_head');
  expect(before).toMatchObject([{ n: '960000' }]);
  const done = await compact({ sliceSamplesMax: 50_000 });
  expect(failures).toEqual([]);
  expect(done).toEqual([
    { window: '2026-11-10T00:00:00.000Z', samples: 960_000, series: 2000, isLate: false },
  ]);
  const after = await checksum(
    'SELECT tenant, metric, id, t, x FROM samples_chunk ARRAY JOIN ts AS t, v AS x WHERE ts = arraySort(ts)',
  );
  expect(after).toEqual(before);
  expect(await count('samples_chunk')).toBe(2000);
  expect(await store.rows('SELECT sum(n) AS n FROM samples_5m FINAL')).toEqual(
    await store.rows(
      `SELECT countIf(reinterpretAsUInt64(x) != ${staleBits}) AS n FROM samples_chunk ARRAY JOIN v AS x`,
    ),
  );
});

test('an aborted compaction stops, and the next one ends its work', async () => {
  const samples = steady(dayMs + 4 * hourMs);
  await insertSamples(store, samples);
  const abort = new AbortController();
  const stopAt = (step: CompactionStep) => {
    if (step === 'cells') abort.abort(new Error('the process stops'));
  };
  expect(await compact({ failpoint: stopAt }, abort.signal)).toEqual([]);
  expect(failures).toEqual([]);
  expect(await count('samples_closing')).toBe(40);
  expect(await count('samples_head')).toBe(40);
  await expectExactly(samples);
  expect((await compact()).map(({ isLate }) => isLate)).toEqual([true, false]);
  await expectExactly(samples);
});

test('whatever comes in whatever order, a reader sees the same before and after', async () => {
  const value = fc.oneof(
    fc.constantFrom(0, -0, 1, -1, Infinity, -Infinity, staleBits, payloadBits, 0x7ff8000000000001n),
    fc.double(),
  );
  const sampleOf = fc
    .tuple(fc.integer({ min: 1, max: seriesCount }), fc.integer({ min: -20, max: 20 }), value)
    .map(([series, tick, bits]) => sample(series, dayMs + 2 * hourMs + tick * 300_000, bits));
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.array(sampleOf, { minLength: 1, maxLength: 20 }) },
    { weight: 2, arbitrary: fc.constant('compact' as const) },
    { weight: 1, arbitrary: fc.constant('merge' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 8 }), async (actions) => {
      for (const table of sampleTables) await store.exec(`TRUNCATE TABLE ${table}`);
      const inserted: StoredSample[] = [];
      for (const next of [...actions, 'compact' as const]) {
        if (next === 'compact') await compact();
        else if (next === 'merge') await store.exec('OPTIMIZE TABLE samples_chunk FINAL');
        else {
          await insertSamples(store, next);
          inserted.push(...next);
        }
        await expectExactly(inserted);
      }
      expect(failures).toEqual([]);
    }),
    { numRuns: 6 },
  );
});
