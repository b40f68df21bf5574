/**
 * What targets say about their metrics, in the shape of Prometheus's GET /api/v1/targets/metadata.
 *
 *   # TYPE up_total counter   ->   { target: { job: 'node', ... }, metric: 'up_total', type: 'counter', help: '', unit: '' }
 */
import type { ListedFamilies } from '#agent/scrape/metric-families.ts';
import { RefusedError } from '#model/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { MetricType } from '#wire/remote-write/request-encoder.ts';

export interface TargetFamilies {
  readonly labels: Labels;
  readonly families: ListedFamilies;
}

interface MetricMetadata {
  readonly target: Readonly<Record<string, string>>;
  /** Absent where one metric was asked for. */
  readonly metric?: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** In one answer: of up to some 1.3 kB each, where all help texts are as long as they may be. */
export const metadataMax = 50_000;

/**
 * Returns the metadata of `metric`, or of all metrics where it is '', for the targets whose labels are wanted. No further
 * target is looked at when there are `limit` entries. Throws RefusedError where there are more than metadataMax.
 */
export function findMetadata(
  targets: Iterable<TargetFamilies>,
  isWanted: (labels: Labels) => boolean,
  metric: string,
  limit: number,
): MetricMetadata[] {
  const found: MetricMetadata[] = [];
  for (const { labels, families } of targets) {
    if (found.length >= limit) break;
    if (!isWanted(labels)) continue;
    const target = Object.fromEntries(labels);
    const named = metric === '' ? undefined : families.listedAs(metric);
    if (named) found.push({ target, type: named.type, help: named.help, unit: named.unit });
    if (metric !== '') continue;
    for (const { name, type, help, unit } of families.listed()) {
      found.push({ target, metric: name, type, help, unit });
      if (found.length <= metadataMax) continue;
      throw new RefusedError(
        `there are more than ${metadataMax} metrics of targets: ask with match_target, metric or limit`,
      );
    }
  }
  return found;
}
