/**
 * Which data points are kept: by their time, and by what else of them is kept. All series of a histogram or summary point
 * are asked for before one of them is written: half of a histogram would give wrong quantiles, so a point is stored whole
 * or refused whole.
 */
import type { MetricNames } from './metric-names.ts';
import type { PointReader } from './point-reader.ts';
import { type PointSeries, seriesRole } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';

/** Buckets of one histogram point: each may become a series, so more than this is a mistake. */
export const histogramBucketsMax = 1024;

/** Says whether a point of this time is kept, and counts it where not. */
export function isTimeKept(unixMs: number, window: RecordWindow, tally: RequestTally): boolean {
  const refusal = window.refusalOfMs(unixMs);
  if (refusal === undefined) return true;
  tally.reject(refusal, window.describe(refusal, unixMs));
  return false;
}

/** Returns since when a point of `unixMs` counts, 0 where nobody can say: a start that comes later is none. */
export function keptStart(startMs: number, unixMs: number, tally: RequestTally): number {
  if (startMs <= unixMs) return startMs;
  tally.reject('invalid_start_time', `a point at ${unixMs} ms has the start time ${startMs} ms`);
  return 0;
}

/** Says whether bounds and counts of the histogram point that was read fit, and counts it where not. */
export function hasFittingBuckets({ boundCount, bucketCount }: PointReader, tally: RequestTally): boolean {
  if (boundCount > histogramBucketsMax) {
    const fact = `a histogram has ${boundCount} buckets, more than ${histogramBucketsMax}`;
    tally.reject('too_many_buckets', fact);
    return false;
  }
  if (bucketCount === 0 || bucketCount === boundCount + 1) return true;
  tally.reject(
    'invalid_histogram',
    `a histogram has ${boundCount} bounds and ${bucketCount} bucket counts: one more is needed`,
  );
  return false;
}

/**
 * Says whether all series of the point that was read are admitted; where not, series.refusal says why. A point whose
 * count is announced was admitted before; where its bounds have changed since, buckets are judged one by one.
 * `bucketCount` is 0 for a summary.
 */
export function isPointAdmitted(
  series: PointSeries,
  names: MetricNames,
  point: PointReader,
  bucketCount: number,
): boolean {
  if (series.isAnnounced(seriesRole.count, 0, point.unixMs)) return true;
  if (!series.identify(names.count, seriesRole.count, 0)) return false;
  if (point.hasValue && !series.identify(names.sum, seriesRole.sum, 0)) return false;
  for (let b = 0; b < bucketCount; b++) {
    const bound = b === bucketCount - 1 ? Number.POSITIVE_INFINITY : point.boundAt(b);
    if (!series.identify(names.bucket, seriesRole.bucket, bound)) return false;
  }
  return areQuantilesAdmitted(series, names, point);
}

function areQuantilesAdmitted(series: PointSeries, names: MetricNames, point: PointReader): boolean {
  // A quantile is read to where the sum is.
  const { valueLow, valueHigh } = point;
  let isAdmitted = true;
  for (let q = 0; isAdmitted && q < point.quantiles.count; q++) {
    isAdmitted = series.identify(names.base, seriesRole.quantile, point.readQuantile(q));
  }
  point.valueLow = valueLow;
  point.valueHigh = valueHigh;
  return isAdmitted;
}
