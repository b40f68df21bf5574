/**
 * Goal: however often a disk fills while the engine merges, every acknowledged row is there.
 * Method: a small tmpfs that is filled to the last byte under real merges, again and again. ClickHouse 26.7 then leaves
 * merged parts with empty files in most rounds; without the repair this test does not pass.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { PartRepair } from '#store/embedded/part-repair.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { mountSmallDisk } from '#test/support/small-disk.ts';

const rounds = 12;
const insertsPerRound = 6;
const disk = mountSmallDisk(64);
let store: Store | undefined;

afterAll(async () => {
  await store?.close();
  disk?.unmount();
});

// Only root may mount a disk of its own: small-disk.ts says loudly where none can be.
describe.skipIf(disk === undefined)('merges on a full disk', { timeout: 120_000 }, () => {
  const small = disk as NonNullable<typeof disk>;
  let opened: Store;
  beforeAll(async () => {
    opened = await openEmbeddedStore({ path: `${small.path}/clickhouse`, diskFreeBytesMin: 0 });
    store = opened;
    await migrate(opened);
  });

  test('cost no acknowledged row', async () => {
    let acknowledged = 0;
    let repairCount = 0;
    const repair = new PartRepair(opened);
    for (let round = 0; round < rounds; round++) {
      for (let insert = 0; insert < insertsPerRound; insert++) {
        const inserted = await opened
          .exec(
            `INSERT INTO logs (tenant, ts, body) SELECT 'a', '2026-11-01 00:00:00', randomPrintableASCII(300) FROM numbers(500)`,
          )
          .then(
            () => true,
            () => false,
          );
        if (inserted) acknowledged += 500;
      }
      const merge = opened.exec('OPTIMIZE TABLE logs FINAL').catch(() => undefined);
      small.fill('foreign');
      await merge;
      const repaired = await repair.repair();
      expect(repaired.map(({ rowsLost }) => rowsLost)).toEqual(repaired.map(() => 0));
      repairCount += repaired.length;
      // Reads every body: a part without files fails here.
      const [row] = await opened.rows<{ n: string }>('SELECT countIf(length(body) = 300) AS n FROM logs');
      expect(Number(row?.n)).toBe(acknowledged);
      small.remove('foreign');
    }
    if (repairCount === 0) console.warn('no merge was spoilt this time: the repair was not needed');
    expect(acknowledged).toBeGreaterThan(0);
  });
});
