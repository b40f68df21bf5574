/**
 * The process under test: receivers, pipeline and embedded store as `sonde up` has them, without agent and queries.
 * Its parent tells it when to measure, so that only its own CPU seconds are counted.
 *
 *   fork(ingest-target.ts, [DIRECTORY, BLOCK_ROWS])  ->  { kind: 'ready', url }
 *   { kind: 'start' } ... { kind: 'stop' }           ->  { kind: 'measured', cpuSeconds, ... }
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { startReceivers } from '#wire/receive/receivers.ts';

process.env.UV_THREADPOOL_SIZE = '32';

export interface ColumnSize {
  readonly table: string;
  readonly column: string;
  readonly bytesPerRow: number;
}

export interface Measured {
  readonly kind: 'measured';
  readonly cpuSeconds: number;
  /** CPU until all merges that the run left were done, the run itself included. */
  readonly mergedCpuSeconds: number;
  readonly loopDelayMsP99: number;
  readonly loopDelayMsMax: number;
  readonly rssMibMax: number;
  readonly rowsMerged: number;
  readonly parts: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly columns: readonly ColumnSize[];
}

export type TargetMessage = { readonly kind: 'ready'; readonly url: string } | Measured;
export type TargetCommand =
  | { readonly kind: 'start' }
  | { readonly kind: 'stop'; readonly mergeSeconds: number };

const [directory = '', blockRows = '250000'] = process.argv.slice(2);
const store = await openEmbeddedStore({ path: directory, diskFreeBytesMin: 0 });
await migrate(store);
const pipeline = createPipeline({
  store,
  workers: 1,
  inflightBytesMax: 512 * 1024 * 1024,
  group: { rowsMax: Number(blockRows), ageMsMax: 1000 },
  retentionMs: 0,
  now: Date.now,
});
const receivers = await startReceivers({
  sink: createDirectSink(pipeline.insertRequest),
  host: '127.0.0.1',
  httpPort: 0,
  grpcPort: 0,
  bodyBytesMax: 64 * 1024 * 1024,
  inflightBytesMax: 512 * 1024 * 1024,
  log: pino({ level: 'warn' }),
  telemetry: { serveMetrics: (_request, response) => void response.end() },
  unready: () => [],
});

const loop = monitorEventLoopDelay({ resolution: 5 });
let cpuBefore = process.cpuUsage();
let rssMax = 0;
setInterval(() => {
  rssMax = Math.max(rssMax, process.memoryUsage.rss());
}, 100).unref();

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage(cpuBefore);
  return (user + system) / 1e6;
};

async function one(sql: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(sql);
  return Number(row?.n ?? 0);
}

async function measure(mergeSeconds: number): Promise<Measured> {
  const cpu = cpuSeconds();
  loop.disable();
  for (const end = Date.now() + mergeSeconds * 1000; Date.now() < end; ) {
    if ((await one('SELECT count() AS n FROM system.merges')) === 0) break;
    await delay(200);
  }
  const columns = await store.rows<{ table: string; column: string; bytes: string; n: string }>(
    `SELECT table, column, sum(column_data_compressed_bytes + column_marks_bytes) AS bytes, sum(rows) AS n
     FROM system.parts_columns WHERE active AND database = currentDatabase() AND table IN ('logs', 'spans', 'samples_head')
     GROUP BY table, column`,
  );
  const tables = await store.rows<{ table: string; bytes: string; n: string }>(
    `SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS n FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table`,
  );
  return {
    kind: 'measured',
    cpuSeconds: cpu,
    mergedCpuSeconds: cpuSeconds(),
    loopDelayMsP99: loop.percentile(99) / 1e6,
    loopDelayMsMax: loop.max / 1e6,
    rssMibMax: rssMax / 1024 ** 2,
    rowsMerged: await one("SELECT sum(value) AS n FROM system.events WHERE event = 'MergedRows'"),
    parts: await one('SELECT count() AS n FROM system.parts WHERE active AND database = currentDatabase()'),
    rows: Object.fromEntries(tables.map(({ table, n }) => [table, Number(n)])),
    columns: [
      ...tables.map(({ table, bytes, n }) => ({
        table,
        column: '(all)',
        bytesPerRow: Number(bytes) / Number(n),
      })),
      ...columns.map(({ table, column, bytes, n }) => ({
        table,
        column,
        bytesPerRow: Number(bytes) / Number(n),
      })),
    ],
  };
}

process.on('message', (command: TargetCommand) => {
  if (command.kind === 'start') {
    rssMax = 0;
    loop.reset();
    loop.enable();
    cpuBefore = process.cpuUsage();
    return;
  }
  measure(command.mergeSeconds).then(
    (measured) => process.send!(measured satisfies TargetMessage),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
process.send!({ kind: 'ready', url: receivers.httpUrl } satisfies TargetMessage);
