/** What `npm run bench:ingest` sends: some requests of each signal, in turn. */
import type { Signal } from '#wire/envelope.ts';
import { logsRequest, remoteWriteRequest, tracesRequest } from './workload.ts';

export interface IngestLoad {
  readonly signal: Signal;
  readonly recordsPerRequest: number;
  /** Sent round and round: what is in them may repeat. */
  requests(): Uint8Array[];
  /** Makes the next request, where requests must differ. */
  readonly next?: () => Uint8Array;
}

const many = (count: number, make: (seed: number) => Uint8Array) => (): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => make(index));

export const ingestLoads: readonly IngestLoad[] = [
  { signal: 'logs', recordsPerRequest: 5000, requests: many(20, logsRequest) },
  { signal: 'traces', recordsPerRequest: 2000, requests: many(25, tracesRequest) },
  { signal: 'remote_write', recordsPerRequest: 10_000, requests: many(20, remoteWriteRequest) },
];
