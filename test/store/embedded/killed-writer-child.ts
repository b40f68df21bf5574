/** Inserts blocks of 100 rows for ever, and prints the number of each when it is acknowledged. */
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';

process.env.UV_THREADPOOL_SIZE = '16';
const store = await openEmbeddedStore({ path: process.argv[2] ?? '' });
await migrate(store);
for (let number = 0; ; number++) {
  const sql = `SELECT 'a'::LowCardinality(String) AS tenant, 'm'::LowCardinality(String) AS metric, {id:UInt64} AS id,
    toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + number AS ts, toFloat64(number) AS v FROM numbers(100)`;
  const pieces: Uint8Array[] = [];
  for await (const piece of store.stream(sql, { params: { id: number } })) pieces.push(piece);
  await store.insert({ table: 'samples_head', parts: pieces, rowCount: 100 }, `block-${number}`);
  console.log(number);
}
