/**
 * Goal: five-minute cells say of their samples what PromQL says of the same samples, also at the edges of windows, after
 * late samples and with stale markers, NaN and infinities among them.
 * Method: a naive computation from all samples that were inserted, and our PromQL engine over the same store.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '../../query/sql/open-test-store.ts';
import {
  bitsOf,
  dayMs,
  floatOf,
  hourMs,
  insertSamples,
  insertSeries,
  payloadBits,
  type StoredSample,
  staleBits,
  tenant,
  winners,
} from './stored-samples.ts';

/** Dozens of statements a test, each written through to the disk. */
vi.setConfig({ testTimeout: 120_000 });

let opened: TestStore;
let store: Store;
const cellMs = 300_000;
const failures: object[] = [];

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  await insertSeries(store, 3);
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(empty);

async function empty(): Promise<void> {
  failures.length = 0;
  for (const table of ['samples_head', 'samples_closing', 'samples_chunk', 'samples_5m']) {
    await store.exec(`TRUNCATE TABLE ${table}`);
  }
}

async function compact(): Promise<void> {
  const log = { info: () => {}, error: (fields: object) => void failures.push(fields) };
  const options = { latenessMs: 0, nowMs: dayMs + 24 * hourMs, log };
  await compactClosed(store, options, new AbortController().signal);
  expect(failures).toEqual([]);
}

interface Cell {
  readonly n: number;
  readonly t0: number;
  readonly t1: number;
  readonly v0: number;
  readonly v1: number;
  readonly resets: number;
  readonly reset_count: number;
  readonly traits: number;
  readonly vmin: number;
  readonly vmax: number;
  readonly vsum: number;
  readonly stale: boolean;
}

/** By `series@right edge`. */
async function readCells(): Promise<Map<string, Cell>> {
  const rows = await store.rows<Record<string, string>>(
    `SELECT concat(toString(id), '@', toString(toUnixTimestamp(cell) * 1000)) AS key, n,
       toUnixTimestamp64Milli(t0) AS t0, toUnixTimestamp64Milli(t1) AS t1, v0, v1, resets, reset_count, traits,
       vmin, vmax, vsum, stale
     FROM samples_5m FINAL WHERE tenant = {tenant:String} AND metric = 'm' AND bucket = toDate(cell) ORDER BY id, cell`,
    { params: { tenant } },
  );
  const number = (value: unknown) =>
    typeof value === 'number'
      ? value
      : Number(String(value).replace('inf', 'Infinity').replace('nan', 'NaN'));
  return new Map(
    rows.map(({ key, stale, ...numbers }) => [
      key!,
      {
        ...Object.fromEntries(
          // Which of 0 and -0 is the extreme is nowhere said.
          Object.entries(numbers).map(([name, value]) => [
            name,
            /^vm/.test(name) ? number(value) + 0 : number(value),
          ]),
        ),
        stale: Boolean(stale),
      } as unknown as Cell,
    ]),
  );
}

const edgeOf = (timeMs: number) => Math.ceil(timeMs / cellMs) * cellMs;

function naiveCells(samples: readonly StoredSample[]): Map<string, Cell> {
  const groups = new Map<string, StoredSample[]>();
  const ordered = [...winners(samples).values()].sort((a, b) => a.series - b.series || a.timeMs - b.timeMs);
  for (const one of ordered) {
    const key = `${one.series}@${edgeOf(one.timeMs)}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const cells = new Map<string, Cell>();
  for (const [key, group] of groups) {
    const live = group.filter(({ bits }) => bits !== staleBits);
    if (live.length === 0) continue;
    const values = live.map(({ bits }) => floatOf(bits));
    const numbers = values.filter((value) => !Number.isNaN(value));
    cells.set(key, {
      n: live.length,
      t0: live[0]!.timeMs,
      t1: live.at(-1)!.timeMs,
      v0: values[0]!,
      v1: values.at(-1)!,
      resets: values.reduce((total, value, i) => total + (value < values[i - 1]! ? values[i - 1]! : 0), 0),
      reset_count: values.filter((value, i) => value < values[i - 1]!).length,
      traits:
        (values.every(Number.isInteger) ? 1 : 0) + (values.some((value) => Object.is(value, -0)) ? 0 : 2),
      vmin: numbers.length === 0 ? NaN : Math.min(...numbers) + 0,
      vmax: numbers.length === 0 ? NaN : Math.max(...numbers) + 0,
      vsum: values.reduce((total, value) => total + value, 0),
      stale: group.at(-1)!.bits === staleBits,
    });
  }
  return cells;
}

const sample = (series: number, timeMs: number, value: number | bigint): StoredSample => ({
  series,
  timeMs,
  bits: typeof value === 'bigint' ? value : bitsOf(value),
});

describe('a sample on the edge of a window belongs to the cell that ends there', () => {
  const edge = dayMs + 2 * hourMs;
  const before = sample(1, edge - 1000, 5);
  const on = sample(1, edge, 3);
  const after = sample(1, edge + 1000, 4);
  test.each([
    { name: 'both windows at once', batches: [[before, on, after]] },
    { name: 'the earlier window first', batches: [[before], [on, after]] },
    { name: 'the later window first', batches: [[on, after], [before]] },
    { name: 'the edge last', batches: [[before, after], [on]] },
    { name: 'the edge first, then its window, then the one before', batches: [[on], [after], [before]] },
  ])('$name', async ({ batches }) => {
    for (const batch of batches) {
      await insertSamples(store, batch);
      await compact();
    }
    const cells = await readCells();
    expect(cells).toEqual(naiveCells([before, on, after]));
    expect(cells.get(`1@${edge}`)).toMatchObject({
      n: 2,
      v0: 5,
      v1: 3,
      resets: 5,
      reset_count: 1,
      traits: 3,
      vsum: 8,
    });
  });
});

test('whatever comes late, cells are what all samples together make', async () => {
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }) },
    { weight: 1, arbitrary: fc.constantFrom(staleBits, payloadBits, Infinity, -Infinity, -0, 0.5) },
  );
  const tick = fc.oneof(fc.integer({ min: -12, max: 12 }), fc.integer({ min: 108, max: 132 }));
  const sampleOf = fc
    .tuple(fc.integer({ min: 1, max: 3 }), tick, fc.constantFrom(-1, 0, 0, 1), value)
    .map(([series, minutes, ms, bits]) => sample(series, dayMs + 4 * hourMs + minutes * 60_000 + ms, bits));
  const batches = fc.array(fc.array(sampleOf, { minLength: 1, maxLength: 60 }), {
    minLength: 1,
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(batches, async (all) => {
      await empty();
      for (const batch of all) {
        await insertSamples(store, batch);
        await compact();
      }
      expect(await readCells()).toEqual(naiveCells(all.flat()));
    }),
    { numRuns: 8 },
  );
});

describe('cells answer as PromQL does', () => {
  /** Counters that restart, with gaps, NaN, infinities and stale markers, at 15 s with jitter and now and then on the edge. */
  function walk(series: number): StoredSample[] {
    const samples: StoredSample[] = [];
    let seed = series;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    let value = 0;
    for (let at = dayMs; at <= dayMs + 4 * hourMs; at += 15_000) {
      const dice = random();
      value = dice < 0.02 ? 0 : value + random() * 10;
      if (dice > 0.97) at += 400_000 * random();
      const timeMs = Math.round(at + (dice > 0.5 ? random() * 4 : 0));
      const odd = [staleBits, payloadBits, bitsOf(Infinity), staleBits][Math.floor(random() * 400)];
      samples.push(sample(series, timeMs, odd ?? value));
    }
    return samples;
  }

  async function ask(query: string): Promise<Map<string, number>> {
    const engine = createPromqlEngine({
      source: () => createSampleSource(store, tenant, { seriesMax: 10 }),
      limits: promqlLimitsDefault,
      lookbackMsDefault: cellMs,
    });
    const { result } = await engine.range({
      tenant,
      query,
      startMs: dayMs + cellMs * 3,
      endMs: dayMs + 4 * hourMs,
      stepMs: cellMs,
    });
    const found = new Map<string, number>();
    if (result.type !== 'matrix') throw new Error('not a matrix');
    for (const { labels, timestamps, values } of result.series) {
      const series = labels.find(([name]) => name === 's')?.[1];
      timestamps.forEach((timeMs: number, i: number) => void found.set(`${series}@${timeMs}`, values[i]!));
    }
    return found;
  }

  /** What `combine` makes of the cells of each window of `count` cells. */
  function fromCells(
    cells: Map<string, Cell>,
    count: number,
    combine: (cells: Cell[]) => number | undefined,
  ) {
    const found = new Map<string, number>();
    for (let series = 1; series <= 3; series++) {
      for (let at = dayMs + cellMs * 3; at <= dayMs + 4 * hourMs; at += cellMs) {
        const some = Array.from({ length: count }, (_, i) =>
          cells.get(`${series}@${at - (count - 1 - i) * cellMs}`),
        );
        const present = some.filter((cell) => cell !== undefined);
        const value = present.length === 0 ? undefined : combine(present);
        if (value !== undefined) found.set(`${series}@${at}`, value);
      }
    }
    return found;
  }

  const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
  const numbers = (values: number[]) => {
    const some = values.filter((value) => !Number.isNaN(value));
    return some.length === 0 ? [NaN] : some;
  };
  const functions: Record<string, (cells: Cell[]) => number | undefined> = {
    count_over_time: (cells) => total(cells.map(({ n }) => n)),
    sum_over_time: (cells) => total(cells.map(({ vsum }) => vsum)),
    min_over_time: (cells) => Math.min(...numbers(cells.map(({ vmin }) => vmin))),
    max_over_time: (cells) => Math.max(...numbers(cells.map(({ vmax }) => vmax))),
    last_over_time: (cells) => cells.at(-1)!.v1,
    avg_over_time: (cells) => total(cells.map(({ vsum }) => vsum)) / total(cells.map(({ n }) => n)),
    /** Without extrapolation: what rate and increase start from. */
    increase: (cells) => {
      if (total(cells.map(({ n }) => n)) < 2) return undefined;
      const between = cells.map(({ v0 }, i) => (v0 < (cells[i - 1]?.v1 ?? NaN) ? cells[i - 1]!.v1 : 0));
      return cells.at(-1)!.v1 - cells[0]!.v0 + total(between) + total(cells.map(({ resets }) => resets));
    },
  };

  /** Raw increase of each window from the samples, by Prometheus's loop. */
  function naiveIncrease(samples: readonly StoredSample[], count: number): Map<string, number> {
    const found = new Map<string, number>();
    const all = [...winners(samples).values()].filter(({ bits }) => bits !== staleBits);
    for (let series = 1; series <= 3; series++) {
      for (let at = dayMs + cellMs * 3; at <= dayMs + 4 * hourMs; at += cellMs) {
        const values = all
          .filter((one) => one.series === series && one.timeMs > at - count * cellMs && one.timeMs <= at)
          .sort((a, b) => a.timeMs - b.timeMs)
          .map(({ bits }) => floatOf(bits));
        if (values.length < 2) continue;
        const resets = values.map((value, i) => (value < values[i - 1]! ? values[i - 1]! : 0));
        found.set(`${series}@${at}`, values.at(-1)! - values[0]! + total(resets));
      }
    }
    return found;
  }

  function expectClose(found: Map<string, number>, wanted: Map<string, number>): void {
    expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [key, value] of wanted) {
      const other = found.get(key)!;
      const isClose = Object.is(value, other) || Math.abs(other - value) <= 1e-9 * Math.abs(value);
      if (!isClose) expect(`${key} ${other}`).toBe(`${key} ${value}`);
    }
  }

  test('over one cell and over three', async () => {
    const samples = [1, 2, 3].flatMap(walk);
    // A third of them comes late.
    await insertSamples(
      store,
      samples.filter((_, i) => i % 3 > 0),
    );
    await compact();
    await insertSamples(
      store,
      samples.filter((_, i) => i % 3 === 0),
    );
    await compact();
    const cells = await readCells();
    expect([...cells.values()].filter(({ resets }) => resets > 0).length).toBeGreaterThan(10);
    for (const [name, combine] of Object.entries(functions)) {
      for (const count of [1, 3]) {
        const wanted =
          name === 'increase' ? naiveIncrease(samples, count) : await ask(`${name}(m[${count * 5}m])`);
        expect(wanted.size, name).toBeGreaterThan(100);
        expectClose(fromCells(cells, count, combine), wanted);
      }
    }
    // The selector itself: its lookback is one cell.
    expectClose(
      fromCells(cells, 1, ([cell]) => (cell!.stale ? undefined : cell!.v1)),
      await ask('m'),
    );
  });
});
