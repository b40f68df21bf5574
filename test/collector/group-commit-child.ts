/**
 * Sends numbered requests through the pipeline into an embedded store, and kills itself at an insert.
 *
 *   node group-commit-child.ts DIRECTORY SEED KILL_AT ID...        prints "acked ID" for each request that is answered
 *
 * KILL_AT counts the steps of all inserts: 2n is before the n-th insert, 2n + 1 is after it. 0 never kills.
 */
import { writeSync } from 'node:fs';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { Lcg } from '#test/support/lcg.ts';
import { numberedRequest } from './numbered-requests.ts';

process.env.UV_THREADPOOL_SIZE = '32';
const [directory = '', seed = '1', killAt = '0', ...ids] = process.argv.slice(2);
const random = new Lcg(Number(seed));
const store = await openEmbeddedStore({ path: directory });
await migrate(store);

let step = 1;
const killHere = (): void => {
  if (++step === Number(killAt)) process.kill(process.pid, 'SIGKILL');
};
const mortal: Store = {
  kind: 'embedded',
  exec: (sql, options) => store.exec(sql, options),
  rows: (sql, options) => store.rows(sql, options),
  stream: (sql, options) => store.stream(sql, options),
  ping: () => store.ping(),
  close: () => store.close(),
  insert: async (block, token) => {
    killHere();
    await store.insert(block, token);
    killHere();
  },
};
const pipeline = createPipeline({
  store: mortal,
  workers: 1,
  inflightBytesMax: 64 * 1024 * 1024,
  group: { rowsMax: 40, ageMsMax: 10 },
  retentionMs: 0,
  now: Date.now,
});
const send = createDirectSink(pipeline);
for (let i = ids.length - 1; i > 0; i--) {
  const other = random.int(i + 1);
  [ids[i], ids[other]] = [ids[other]!, ids[i]!];
}
const waves: Promise<void>[] = [];
for (const id of ids) {
  const delivered = send({ ...numberedRequest(Number(id)), tenant: 'default', batchId: id, key: 'k' });
  // Written at once: the process may be killed before a stream would be.
  waves.push(delivered.then(() => void writeSync(1, `acked ${id}\n`)));
  if (random.chance(20)) await waves.at(-1);
}
await Promise.all(waves);
await pipeline.close();
await store.close();
