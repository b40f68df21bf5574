/**
 * `npm run bench`: what ingest costs on this machine. Per signal: the transcoder alone, the object way as the baseline in
 * the same run, and transcode plus insert into the embedded store. The best of several rounds is printed.
 *
 *   npm run bench -- --rounds 9 --signal traces --transcode     (one signal, the transcoder alone)
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { cheapest, make, renderCost, type Workload, workloads } from './transcode.ts';

// The embedded store needs more of libuv's threads than there are by default.
process.env.UV_THREADPOOL_SIZE ??= '32';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    signal: { type: 'string' },
    transcode: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

/** Measures one signal; without a store, the transcoder alone. */
async function measure(workload: Workload, store: Store | undefined): Promise<void> {
  const { signal, decodeObjects, table } = workload;
  const made = make(workload);
  const { requests, recordCount, bytes, transcode } = made;
  const report = async (name: string, work: () => unknown): Promise<void> =>
    console.log(renderCost(made, name, await cheapest(rounds, work)));
  console.log(`${signal}: ${recordCount} records, ${(bytes / recordCount).toFixed(0)} B each`);
  await report('transcode', transcode);
  if (store === undefined) return;
  await report('baseline: objects and JSON', () => {
    for (const request of requests) JSON.stringify(decodeObjects(request));
  });
  let insertCount = 0;
  await report('transcode and insert', async () => {
    for (const block of transcode()) await store.insert(block, `bench/${signal}/${insertCount++}`);
  });
  const [size] = await store.rows<{ bytes: string; rows: string }>(
    'SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE active AND table = {table:String}',
    { params: { table } },
  );
  console.log(`  on disk ${(Number(size?.bytes) / Number(size?.rows)).toFixed(1)} B a row`);
}

const chosen = workloads.filter(({ signal }) => values.signal === undefined || values.signal === signal);
if (chosen.length === 0) throw new Error(`no signal is called ${values.signal}`);
if (values.transcode) for (const workload of chosen) await measure(workload, undefined);
else {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-bench-'));
  const store = await openEmbeddedStore({ path: directory });
  try {
    await migrate(store);
    for (const workload of chosen) await measure(workload, store);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
console.log(`RSS at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
