/**
 * Asks for all series of a histogram or summary point before one of them is written: half of a histogram would give
 * wrong quantiles, so a point is stored whole or refused whole.
 */
import type { MetricNames } from './metric-names.ts';
import type { PointReader } from './point-reader.ts';
import { type PointSeries, seriesRole } from './point-series.ts';

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
