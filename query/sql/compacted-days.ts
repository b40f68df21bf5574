/** The `samples_chunk` table by day: how much of a tenant's samples is compacted. */
import type { Store } from '#store/store.ts';
import { createMetricRead } from './metric-read.ts';

export interface CompactedDay {
  /** Of the first and the last two hours that have samples, in milliseconds since 1970; `endMs` is exclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly sampleCount: number;
  readonly seriesCount: number;
  readonly chunkCount: number;
}

interface DayRow {
  readonly first: number;
  readonly last: number;
  readonly samples: string;
  readonly series: string;
  readonly chunks: string;
}

const bucketSeconds = 7200;

/** In order of time. Reads the lengths of arrays, not the samples. */
export async function listCompactedDays(
  store: Store,
  tenant: string,
  abort: AbortSignal,
): Promise<CompactedDay[]> {
  const rows = await createMetricRead(store, tenant).rows<DayRow>(
    `SELECT toUnixTimestamp(min(bucket)) AS first, toUnixTimestamp(max(bucket)) AS last,
       sum(length(ts)) AS samples, uniq(metric, id) AS series, count() AS chunks
     FROM samples_chunk GROUP BY toDate(bucket) ORDER BY first`,
    {},
    abort,
  );
  return rows.map(({ first, last, samples, series, chunks }) => ({
    startMs: first * 1000,
    endMs: (last + bucketSeconds) * 1000,
    sampleCount: Number(samples),
    seriesCount: Number(series),
    chunkCount: Number(chunks),
  }));
}
