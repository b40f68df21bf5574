/**
 * `npm run bench`: what ingest costs on this machine. Per signal: the transcoder alone, the object way as the baseline in
 * the same run, and transcode plus insert into the embedded store. Requests are built once, code is warmed up, and the
 * best of several rounds is printed: what else runs on the machine only ever adds.
 *
 *   npm run bench -- --rounds 9 --signal traces --transcode     (one signal, the transcoder alone)
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import {
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';
import {
  logsRequest,
  metricsRequest,
  metricsRequestsPerScrape,
  remoteWriteRequest,
  startMs,
  tracesRequest,
} from './workload.ts';

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
/** V8 optimises the hot functions within the first few hundred thousand records: they cost twice as much. */
const warmUpRounds = 5;

interface Workload {
  readonly signal: Signal;
  readonly table: string;
  readonly makeRequest: (index: number) => Uint8Array;
  readonly requestCount: number;
  readonly recordsPerRequest: number;
  readonly decodeObjects: (bytes: Uint8Array) => unknown;
}

const workloads: readonly Workload[] = [
  {
    signal: 'logs',
    table: 'logs',
    makeRequest: logsRequest,
    requestCount: 20,
    recordsPerRequest: 5000,
    decodeObjects: decodeLogsRequest,
  },
  {
    signal: 'traces',
    table: 'spans',
    makeRequest: tracesRequest,
    requestCount: 25,
    recordsPerRequest: 2000,
    decodeObjects: decodeTraceRequest,
  },
  {
    signal: 'metrics',
    table: 'samples_head',
    makeRequest: metricsRequest,
    requestCount: 5 * metricsRequestsPerScrape,
    recordsPerRequest: 5000,
    decodeObjects: decodeMetricsRequest,
  },
  {
    signal: 'remote_write',
    table: 'samples_head',
    makeRequest: remoteWriteRequest,
    requestCount: 20,
    recordsPerRequest: 10_000,
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

/** Measures one signal; without a store, the transcoder alone. */
async function measure(workload: Workload, store: Store | undefined): Promise<void> {
  const { signal, decodeObjects, requestCount } = workload;
  const requests = Array.from({ length: requestCount }, (_, index) => workload.makeRequest(index));
  const recordCount = requestCount * workload.recordsPerRequest;
  const bytes = requests.reduce((total, request) => total + request.length, 0);
  const transcode = createTranscoder();
  const task = {
    requests: requests.map((request) => ({ signal, tenant: 'default', bytes: request })),
    nowUnixMs: startMs,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  };
  const report = (name: string, seconds: number): void => {
    const columns = [
      `${Math.round((seconds / recordCount) * 1e9)} ns/record`,
      `${Math.round(recordCount / seconds).toLocaleString('en')} records/CPU-s`,
      `${(bytes / seconds / 1e6).toFixed(0)} MB/s`,
    ];
    console.log(`  ${name.padEnd(28)} ${columns.map((column) => column.padStart(24)).join('')}`);
  };
  console.log(`${signal}: ${recordCount} records, ${(bytes / recordCount).toFixed(0)} B each`);
  for (let round = 0; round < warmUpRounds; round++) transcode(task);
  report('transcode', await cheapest(() => transcode(task)));
  if (store === undefined) return;
  report(
    'baseline: objects and JSON',
    await cheapest(() => {
      for (const request of requests) JSON.stringify(decodeObjects(request));
    }),
  );
  let insertCount = 0;
  const insertAll = async (): Promise<void> => {
    for (const block of transcode(task).blocks) await store.insert(block, `bench/${signal}/${insertCount++}`);
  };
  report('transcode and insert', await cheapest(insertAll));
  const [size] = await store.rows<{ bytes: string; rows: string }>(
    'SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE active AND table = {table:String}',
    { params: { table: workload.table } },
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
