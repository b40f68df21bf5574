/**
 * What the transcoder costs by itself: requests of one signal, again and again, in this thread. The code is warmed up, and
 * the best of several rounds counts: what else runs on the machine only ever adds.
 */
import { inlineTranscoders } from '#collector/transcode/inlining.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import type { NativeBlock } from '#store/store.ts';
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

/** V8 optimises the hot functions within the first few hundred thousand records: they cost twice as much. */
const warmUpRounds = 5;

export interface Workload {
  readonly signal: Signal;
  readonly table: string;
  readonly makeRequest: (index: number) => Uint8Array;
  readonly requestCount: number;
  readonly recordsPerRequest: number;
  readonly decodeObjects: (bytes: Uint8Array) => unknown;
}

export const workloads: readonly Workload[] = [
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
export async function cheapest(rounds: number, work: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return best;
}

/** Requests of one signal, made once, with what they add up to. */
export interface Made {
  readonly requests: readonly Uint8Array[];
  readonly recordCount: number;
  readonly bytes: number;
  /** Transcodes all of them into one run's blocks. */
  transcode(): readonly NativeBlock[];
}

export function make({ signal, makeRequest, requestCount, recordsPerRequest }: Workload): Made {
  const requests = Array.from({ length: requestCount }, (_, index) => makeRequest(index));
  // As a collector does.
  inlineTranscoders();
  const transcoder = createTranscoder();
  const task = {
    requests: requests.map((bytes) => ({ signal, tenant: 'default', bytes })),
    nowUnixMs: startMs,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  };
  const transcode = (): readonly NativeBlock[] => transcoder(task).blocks;
  for (let round = 0; round < warmUpRounds; round++) transcode();
  const bytes = requests.reduce((total, request) => total + request.length, 0);
  return { requests, recordCount: requestCount * recordsPerRequest, bytes, transcode };
}

/** One line: what `seconds` of CPU for all of them are for each. */
export function renderCost({ recordCount, bytes }: Made, name: string, seconds: number): string {
  const columns = [
    `${Math.round((seconds / recordCount) * 1e9)} ns/record`,
    `${Math.round(recordCount / seconds).toLocaleString('en')} records/CPU-s`,
    `${(bytes / seconds / 1e6).toFixed(0)} MB/s`,
  ];
  return `  ${name.padEnd(28)} ${columns.map((column) => column.padStart(24)).join('')}`;
}
