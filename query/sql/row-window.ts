/** The bounds of a read as the tables of samples want them. */
import type { QueryParams } from '#store/store.ts';
import type { SampleRequest } from '../promql/source.ts';

/** The last second that DateTime holds. */
const secondMax = 4_294_967_295;
const bucketSeconds = 7200;

/** Left-open, of a column `ts`. */
export const rowWindowSql = `ts > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')`;

/** Chunks that may hold samples of the window. */
export const chunkWindowSql =
  "bucket >= toDateTime({bucketFirst:UInt32}, 'UTC') AND bucket <= toDateTime({bucketLast:UInt32}, 'UTC')";

export function rowWindowParams({ startMs, endMs }: SampleRequest): QueryParams {
  return { after: clampMs(startMs), until: clampMs(endMs) };
}

export function chunkWindowParams({ startMs, endMs }: SampleRequest): QueryParams {
  const clamp = (seconds: number) => Math.min(secondMax, Math.max(0, seconds));
  return {
    bucketFirst: clamp(Math.floor(startMs / 1000) - bucketSeconds),
    bucketLast: clamp(Math.floor(endMs / 1000)),
  };
}

/** Within what the tables' DateTime keys hold; nothing is stored before 1970. */
function clampMs(ms: number): number {
  return Math.min(secondMax * 1000, Math.max(-1, Math.floor(ms)));
}
