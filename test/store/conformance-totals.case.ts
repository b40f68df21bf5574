/**
 * Goal: what delta points are added to is found on every kind of store: starts beside samples, and native histograms.
 * Method: more series than a query asks for, with ids beyond what a number holds, in one of two tenants.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { selectLastHistograms } from '#store/last-histograms.ts';
import { selectLastSamples } from '#store/last-samples.ts';
import type { Store } from '#store/store.ts';

const seriesCount = 2500;
const firstId = 18446744073709540000n;
const firstMs = Date.UTC(2026, 10, 21, 1);

/** `open` returns the store of the suite, which is open by the time the tests run. */
export function describeTotals(open: () => Store): void {
  let store: Store;
  const keys = Array.from({ length: seriesCount }, (_, n) => ({
    metric: `total_${n % 3}`,
    id: String(firstId + BigInt(n)),
  }));
  const insert = (table: string, columns: string, values: string): Promise<void> =>
    store.exec(
      `INSERT INTO ${table} (tenant, metric, id, ts, ${columns}) SELECT t.1, concat('total_', toString(number % 3)),
         number + ${firstId}, fromUnixTimestamp64Milli(${firstMs} + t.2), ${values}
       FROM numbers(${seriesCount}) ARRAY JOIN [('a', 0), ('a', 60000), ('b', 90000)] AS t`,
    );

  describe('the totals of delta series', () => {
    beforeAll(async () => {
      store = open();
      await insert('samples_head', 'v', 'number + t.2');
      await insert('sample_starts', 'start_ts', `fromUnixTimestamp64Milli(${firstMs} - number + t.2)`);
      await insert(
        'histograms_head',
        'start_ts, schema, count, sum, zero_threshold, positive_offsets, positive_lengths, positive_counts, custom_values',
        `fromUnixTimestamp64Milli(${firstMs} - number), 3, number + t.2, number / 3, 1e-128, [-5], [2], [number, t.2], [0.5]`,
      );
    });

    test('samples come with since when they count', async () => {
      const found = await selectLastSamples(store, 'a', keys, firstMs);
      const byId = new Map(found.map((sample) => [sample.id, sample]));
      expect(byId.size).toBe(seriesCount);
      for (const n of [0, 1999, 2000, 2499]) {
        const lastMs = firstMs + 60_000;
        const { id } = keys[n]!;
        expect(byId.get(id)).toEqual({ id, lastMs, value: n + 60_000, startMs: lastMs - n });
      }
    });

    test('native histograms come with all of their numbers', async () => {
      const found = new Map<string, unknown>();
      for await (const one of selectLastHistograms(store, 'a', keys, firstMs)) found.set(one.id, one);
      expect(found.size).toBe(seriesCount);
      for (const n of [0, 199, 200, 2499]) {
        const { id } = keys[n]!;
        const cells = Float64Array.of(3, n + 60_000, n / 3, 1e-128, 0, 1, 2, -5, 2, n, 60_000, 0, 0, 1, 0.5);
        expect(found.get(id)).toEqual({ id, lastMs: firstMs + 60_000, startMs: firstMs - n, cells });
      }
    });
  });
}
