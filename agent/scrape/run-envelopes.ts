/** Puts the requests of one run into envelopes: batch ids, partition key. */
import { createHash } from 'node:crypto';
import type { QueuedScrape } from './sample-queue.ts';
import type { TrackedRun } from './series-tracker.ts';

export interface RunIdentity {
  readonly tenant: string;
  /** The partition key: a partition keeps the order of a source's runs. */
  readonly key: string;
  /** Unique among agents, sources and process starts: with the time it makes a batch id that is never used twice. */
  readonly sourceId: string;
  /** Must grow from run to run of one source. */
  readonly timestampMs: number;
}

/** Returns the envelopes of a run, in order. */
export function renderRun(
  run: TrackedRun,
  { tenant, key, sourceId, timestampMs }: RunIdentity,
): QueuedScrape {
  return {
    envelopes: run.requests.map(({ bytes, sampleCount }, part) => ({
      sampleCount,
      envelope: {
        signal: 'remote_write',
        tenant,
        batchId: `${sourceId}/${timestampMs}/${part}`,
        key,
        bytes,
      },
    })),
  };
}

/** Returns the partition key of a source: the same on every agent and start. */
export function sourceKey(tenant: string, job: string, instance: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, job, instance]))
    .digest('hex')
    .slice(0, 16);
}
