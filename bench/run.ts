/**
 * `npm run bench`: what ingest costs on this machine. Per signal: the transcoder alone, the object way as the baseline in
 * the same run, and transcode plus insert into the embedded store. The best of several rounds is printed.
 *
 *   node bench/run.ts [--rounds 5]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { decodeLogsRequest, decodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';
import { logsRequest, remoteWriteRequest, tracesRequest } from './workload.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);

interface Workload {
  readonly signal: Signal;
  readonly table: string;
  readonly requests: readonly Uint8Array[];
  readonly recordCount: number;
  readonly decodeObjects: (bytes: Uint8Array) => unknown;
}

const requestsOf = (count: number, make: (seed: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => make(index));

const workloads: readonly Workload[] = [
  {
    signal: 'logs',
    table: 'logs',
    requests: requestsOf(20, logsRequest),
    recordCount: 20 * 5000,
    decodeObjects: decodeLogsRequest,
  },
  {
    signal: 'traces',
    table: 'spans',
    requests: requestsOf(25, tracesRequest),
    recordCount: 25 * 2000,
    decodeObjects: decodeTraceRequest,
  },
  {
    signal: 'remote_write',
    table: 'samples_head',
    requests: requestsOf(20, remoteWriteRequest),
    recordCount: 20 * 10_000,
    decodeObjects: decodeRemoteWrite2,
  },
];

/** CPU seconds (user and system, all threads) of the cheapest of `rounds` runs. */
async function cheapest(work: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return best;
}

async function measure(store: Store, workload: Workload): Promise<void> {
  const { signal, table, requests, recordCount, decodeObjects } = workload;
  const bytes = requests.reduce((total, request) => total + request.length, 0);
  const transcode = createTranscoder();
  const task = {
    requests: requests.map((request) => ({ signal, tenant: 'default', bytes: request })),
    nowUnixMs: 1_760_000_000_000,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  };
  const baseline = await cheapest(() => {
    for (const request of requests) JSON.stringify(decodeObjects(request));
  });
  const transcoded = await cheapest(() => transcode(task));
  let insertCount = 0;
  const stored = await cheapest(async () => {
    for (const block of transcode(task).blocks) await store.insert(block, `bench/${signal}/${insertCount++}`);
  });
  const [size] = await store.rows<{ bytes: string; rows: string }>(
    'SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE active AND table = {table:String}',
    { params: { table } },
  );
  const line = (name: string, seconds: number): string =>
    `  ${name.padEnd(28)} ${Math.round(recordCount / seconds)
      .toLocaleString('en')
      .padStart(12)} records/CPU-s ` +
    `${(bytes / seconds / 1e6).toFixed(0).padStart(6)} MB/s ${(baseline / seconds).toFixed(1).padStart(6)}x`;
  console.log(`${signal}: ${recordCount} records, ${(bytes / recordCount).toFixed(0)} B each`);
  console.log(line('baseline: objects and JSON', baseline));
  console.log(line('transcode', transcoded));
  console.log(line('transcode and insert', stored));
  console.log(`  on disk ${(Number(size?.bytes) / Number(size?.rows)).toFixed(1)} B a row`);
}

const directory = mkdtempSync(join(tmpdir(), 'sonde-bench-'));
const store = await openEmbeddedStore({ path: directory });
try {
  await migrate(store);
  for (const workload of workloads) await measure(store, workload);
  console.log(`RSS at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}
