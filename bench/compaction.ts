/**
 * What compacting one window costs on this machine: CPU and memory per sample, and bytes per sample on disk.
 *
 *   node bench/compaction.ts [--series 10000] [--slice 2000000]
 *
 * Half of the series are integer counters that grow by 1 to 99 a scrape, half are gauges of six random digits; 480
 * samples each, a tenth of them a few milliseconds late.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compactClosed } from '#store/compaction/compactor.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';

// Before the pool's first thread starts: each statement of the engine takes one.
process.env.UV_THREADPOOL_SIZE ??= '32';

const { values } = parseArgs({
  options: { series: { type: 'string', default: '10000' }, slice: { type: 'string', default: '2000000' } },
});
const seriesCount = Number(values.series);
const windowMs = 7_200_000;
const windowStartMs = 1_794_268_800_000;
const scrapes = 480;
const megabyte = 1e6;

/** Twelve inserts, as if each held ten minutes. */
async function fill(store: Store): Promise<void> {
  const inserts = 12;
  const perInsert = scrapes / inserts;
  for (let insert = 0; insert < inserts; insert++) {
    await store.exec(
      `INSERT INTO samples_head
       SELECT 'default', concat('metric_', toString(s % 100)), sipHash64(toUInt64(s)),
         fromUnixTimestamp64Milli(toInt64(${windowStartMs} + i * 15000 + intHash32(s) % 15000 + if(intHash32(number) % 10 = 0, number % 5, 0)), 'UTC'),
         if(s % 2 = 0, i * 50 + intHash32(number) % 50 + s * 1000, toFloat64(intHash32(number) % 1000000))
       FROM (SELECT number, number % ${seriesCount} AS s, intDiv(number, ${seriesCount}) AS i
         FROM numbers(${insert * seriesCount * perInsert}, ${seriesCount * perInsert}))`,
      { timeoutMs: 600_000 },
    );
  }
}

async function bytesPerSample(store: Store, table: string, where: string): Promise<string> {
  await store.exec('DROP TABLE IF EXISTS part_of_it');
  await store.exec(`CREATE TABLE part_of_it AS ${table}`);
  await store.exec(`INSERT INTO part_of_it SELECT * FROM ${table} WHERE ${where}`, { timeoutMs: 600_000 });
  const [row] = await store.rows<{ bytes: string }>(
    "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'part_of_it'",
  );
  return (Number(row?.bytes) / ((seriesCount / 2) * scrapes)).toFixed(2);
}

const path = mkdtempSync(join(tmpdir(), 'sonde-bench-'));
const store = await openEmbeddedStore({ path });
try {
  await migrate(store);
  await fill(store);
  const rssBefore = process.memoryUsage.rss();
  let rssMax = rssBefore;
  const timer = setInterval(() => {
    rssMax = Math.max(rssMax, process.memoryUsage.rss());
  }, 10);
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const log = { info: () => {}, error: (fields: object) => console.error(fields) };
  const options = {
    latenessMs: 0,
    nowMs: windowStartMs + 2 * windowMs,
    log,
    sliceSamplesMax: Number(values.slice),
  };
  const done = await compactClosed(store, options, new AbortController().signal);
  const wallMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  clearInterval(timer);
  const samples = done.reduce((sum, window) => sum + window.samples, 0);
  console.log(`${samples} samples of ${seriesCount} series in ${done.length} windows`);
  console.log(
    `${Math.round(((user + system) * 1000) / samples)} ns CPU a sample, ${Math.round(wallMs)} ms in all`,
  );
  console.log(
    `resident memory ${Math.round(rssBefore / megabyte)} MB before, ${Math.round(rssMax / megabyte)} MB at most`,
  );
  const ids = `(SELECT sipHash64(toUInt64(number * 2)) FROM numbers(${seriesCount / 2}))`;
  for (const table of ['samples_chunk', 'samples_5m']) {
    const counters = await bytesPerSample(store, table, `id IN ${ids}`);
    const gauges = await bytesPerSample(store, table, `id NOT IN ${ids}`);
    console.log(`${table}: ${counters} bytes a sample of a counter, ${gauges} of a gauge`);
  }
} finally {
  await store.close();
  rmSync(path, { recursive: true, force: true });
}
