/** What `npm run bench:ingest` sends: requests of each signal in turn, every one later than all before it. */
import type { Signal } from '#wire/envelope.ts';
import { type TimeFields, timeShift } from './shift-times.ts';
import {
  logsRequest,
  metricsRequest,
  metricsRequestsPerScrape,
  remoteWriteRequest,
  scrapeMs,
  tracesRequest,
} from './workload.ts';

export interface IngestLoad {
  readonly signal: Signal;
  readonly recordsPerRequest: number;
  /** The bytes of the next request; they are another's at the next call. */
  createNext(): () => Uint8Array;
}

interface Shape {
  readonly make: (seed: number) => Uint8Array;
  /** How many are made; then the first comes again, `msPerRound` later. */
  readonly count: number;
  readonly msPerRound: number;
  readonly times: TimeFields;
}

function createNext({ make, count, msPerRound, times }: Shape): () => Uint8Array {
  const requests = Array.from({ length: count }, (_, index) => make(index));
  const shifts = requests.map((bytes) => timeShift(bytes, times));
  let sent = 0;
  return () => {
    const index = sent++ % count;
    if (sent > count) shifts[index]!(msPerRound);
    return requests[index]!;
  };
}

/** time_unix_nano (1) and observed_time_unix_nano (11) of a LogRecord. */
const logTimes: TimeFields = { tags: [0x09, 0x59], encoding: 'fixed64 ns' };
/** start_time_unix_nano (7) and end_time_unix_nano (8) of a Span, time_unix_nano (1) of an Event. */
const spanTimes: TimeFields = { tags: [0x39, 0x41, 0x09], encoding: 'fixed64 ns' };
/** time_unix_nano (3) of a NumberDataPoint: the start of a sum stays. */
const pointTimes: TimeFields = { tags: [0x19], encoding: 'fixed64 ns' };
/** timestamp (2) of a Sample. */
const sampleTimes: TimeFields = { tags: [0x10], encoding: 'varint ms' };

const scrapes = 20;
const ofLogs = { make: logsRequest, count: 50, msPerRound: 50_000, times: logTimes };
const ofTraces = { make: tracesRequest, count: 50, msPerRound: 50_000, times: spanTimes };
const ofMetrics = {
  make: metricsRequest,
  count: scrapes * metricsRequestsPerScrape,
  msPerRound: scrapes * scrapeMs,
  times: pointTimes,
};
const ofRemoteWrite = {
  make: remoteWriteRequest,
  count: scrapes,
  msPerRound: scrapes * scrapeMs,
  times: sampleTimes,
};

export const ingestLoads: readonly IngestLoad[] = [
  { signal: 'logs', recordsPerRequest: 5000, createNext: () => createNext(ofLogs) },
  { signal: 'traces', recordsPerRequest: 2000, createNext: () => createNext(ofTraces) },
  { signal: 'metrics', recordsPerRequest: 5000, createNext: () => createNext(ofMetrics) },
  { signal: 'remote_write', recordsPerRequest: 10_000, createNext: () => createNext(ofRemoteWrite) },
];
