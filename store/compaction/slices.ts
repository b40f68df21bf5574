/**
 * Divides the samples of a window into slices that one statement can hold in memory, along the sort key of the tables.
 *
 *   tenant a: 5 samples, b: 9 of http_requests and 3 of up, at most 6 in a slice
 *   ->  a | b, http_requests, lower ids | b, http_requests, upper ids | b, up
 *
 * A slice is a range, so together they cover every series; what it is depends on the counts only: a repeat after a
 * crash makes the same slices. One series is never divided.
 */
import type { QueryParams } from '../store.ts';

/** Samples of one metric of a tenant. Names are the hex digits of their bytes, which need not be UTF-8. */
export interface MetricCount {
  readonly tenant: string;
  readonly metric: string;
  readonly samples: number;
}

/** Bounds are inclusive, in the order of bytes; an absent one does not bind. */
export interface Slice {
  readonly tenantFirst: string;
  readonly tenantLast: string;
  readonly metricFirst?: string;
  readonly metricLast?: string;
  /** Decimal digits. */
  readonly idFirst?: string;
  readonly idLast?: string;
  /** How many samples to expect; for ids a guess, as they are hashes. */
  readonly samples: number;
}

const idCount = 1n << 64n;

/** `counts` must be in the order of tenant and metric. */
export function planSlices(counts: readonly MetricCount[], samplesMax: number): Slice[] {
  const slices: Slice[] = [];
  for (const ofTenant of neighbours(counts, ({ tenant }) => tenant)) {
    const samples = sum(ofTenant);
    const last = slices.at(-1);
    if (samples > samplesMax) slices.push(...planTenant(ofTenant, samplesMax));
    else if (last !== undefined && last.metricFirst === undefined && last.samples + samples <= samplesMax) {
      slices[slices.length - 1] = {
        ...last,
        tenantLast: ofTenant[0].tenant,
        samples: last.samples + samples,
      };
    } else {
      slices.push({ tenantFirst: ofTenant[0].tenant, tenantLast: ofTenant[0].tenant, samples });
    }
  }
  return slices;
}

/** Rows of samples_head, samples_closing and samples_chunk that are in the slice. */
export function sliceWhere(slice: Slice): { readonly sql: string; readonly params: QueryParams } {
  const conditions = ['tenant >= unhex({tenantFirst:String}) AND tenant <= unhex({tenantLast:String})'];
  const params: Record<string, string> = { tenantFirst: slice.tenantFirst, tenantLast: slice.tenantLast };
  if (slice.metricFirst !== undefined && slice.metricLast !== undefined) {
    conditions.push('metric >= unhex({metricFirst:String}) AND metric <= unhex({metricLast:String})');
    params.metricFirst = slice.metricFirst;
    params.metricLast = slice.metricLast;
  }
  if (slice.idFirst !== undefined && slice.idLast !== undefined) {
    conditions.push('id >= {idFirst:UInt64} AND id <= {idLast:UInt64}');
    params.idFirst = slice.idFirst;
    params.idLast = slice.idLast;
  }
  return { sql: conditions.join(' AND '), params };
}

/** Slices of a tenant that is too large for one: ranges of metrics, and of ids where one metric is too large. */
function planTenant(counts: readonly MetricCount[], samplesMax: number): Slice[] {
  const slices: Slice[] = [];
  let isOpen = false;
  for (const { tenant, metric, samples } of counts) {
    const last = slices.at(-1);
    if (samples > samplesMax) {
      slices.push(...planMetric({ tenant, metric, samples }, samplesMax));
      isOpen = false;
    } else if (isOpen && last !== undefined && last.samples + samples <= samplesMax) {
      slices[slices.length - 1] = { ...last, metricLast: metric, samples: last.samples + samples };
    } else {
      slices.push({
        tenantFirst: tenant,
        tenantLast: tenant,
        metricFirst: metric,
        metricLast: metric,
        samples,
      });
      isOpen = true;
    }
  }
  return slices;
}

function planMetric({ tenant, metric, samples }: MetricCount, samplesMax: number): Slice[] {
  const count = Math.ceil(samples / samplesMax);
  const edge = (index: number) => (idCount * BigInt(index)) / BigInt(count);
  return Array.from({ length: count }, (_, index) => ({
    tenantFirst: tenant,
    tenantLast: tenant,
    metricFirst: metric,
    metricLast: metric,
    idFirst: String(edge(index)),
    idLast: String(edge(index + 1) - 1n),
    samples: Math.ceil(samples / count),
  }));
}

function sum(counts: readonly MetricCount[]): number {
  return counts.reduce((total, { samples }) => total + samples, 0);
}

/** Groups of neighbours that have one key. */
function neighbours<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const groups: Item[][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last !== undefined && keyOf(last[0]) === keyOf(item)) last.push(item);
    else groups.push([item]);
  }
  return groups;
}
