/**
 * Keeps one sender's mistake from filling the series table for everyone: bounds the active series of a tenant and of a
 * metric, and names the label that makes too many of them.
 *
 *   the metric http_requests_total has 200000 active series: new ones are refused (collector.metric_series_max).
 *   Its label "user_id" has the most values
 *
 * Active are the series that were announced for the two-hour window in which we are. Series that a thread knows from
 * before are counted, but never refused: a flood must not take the place of what was there. A restart counts anew.
 */
import { Hash64 } from './byte-hash.ts';
import { KeyTable, resizedInts } from './key-table.ts';
import type { LabelSet } from './label-set.ts';
import { metricNamePair, type SeriesRefusal } from './series-rules.ts';

export interface SeriesLimits {
  /** Of one tenant. 0 is no limit. */
  readonly tenantSeriesMax: number;
  /** Of one metric of one tenant. 0 is no limit. */
  readonly metricSeriesMax: number;
}

/** Of a tenant, in this window. */
interface TenantSeries {
  count: number;
  /** The metric with the most series, and how many. */
  largest: string;
  largestEntry: number;
  largestCount: number;
  refusal: SeriesRefusal | undefined;
}

/** Of a metric that has reached half of its limit. */
interface LargeMetric {
  /** Distinct values of each label since then. */
  readonly values: Map<string, KeyTable>;
  refusal: SeriesRefusal | undefined;
}

export const seriesLimitsDefault: SeriesLimits = { tenantSeriesMax: 1_000_000, metricSeriesMax: 200_000 };

const windowMs = 7_200_000;
/** 64 MiB of ids at most; beyond that a series may be counted twice. */
const idsMax = 1 << 22;
/** 16 MiB at most; the metrics beyond that are bounded by their tenant's limit only. */
const metricsMax = 1 << 20;
/** Enough to tell a label with few values from one with many. Must be a size that KeyTable takes. */
const valuesMax = 1024;
const textDecoder = new TextDecoder();

/** More than the series of one data point. */
const pointSeriesMax = 2048;

export class SeriesGuard {
  /** Whether in this window a tenant or a metric came so close to its limit that a data point may be over it in part. */
  isNearLimit = false;
  readonly #limits: SeriesLimits;
  readonly #hash = new Hash64();
  readonly #tenants = new Map<string, TenantSeries>();
  #ids = new KeyTable(idsMax);
  #metrics = new KeyTable(metricsMax);
  /** Series of each entry of #metrics. */
  #counts = new Int32Array(0);
  /** By the metric's entry. */
  readonly #large = new Map<number, LargeMetric>();
  #window = -1;
  // The tenant of the request.
  #tenant = noSeries();
  #tenantLow = 0;
  #tenantHigh = 0;

  constructor(limits: SeriesLimits) {
    this.#limits = limits;
  }

  /** Begins a new count where `nowUnixMs` is in another window than before. beginRequest must follow. */
  begin(nowUnixMs: number): void {
    const window = Math.floor(nowUnixMs / windowMs);
    if (window === this.#window) return;
    this.#window = window;
    this.isNearLimit = isNear(0, this.#limits.tenantSeriesMax) || isNear(0, this.#limits.metricSeriesMax);
    this.#tenants.clear();
    this.#large.clear();
    this.#ids = new KeyTable(idsMax);
    this.#metrics = new KeyTable(metricsMax);
    this.#counts = new Int32Array(this.#metrics.capacity);
  }

  beginRequest(tenant: string): void {
    const series = this.#tenants.get(tenant) ?? noSeries();
    this.#tenants.set(tenant, series);
    this.#tenant = series;
    const hash = this.#hash;
    hash.begin();
    for (let i = 0; i < tenant.length; i++) hash.addWord(tenant.charCodeAt(i));
    this.#tenantLow = hash.low;
    this.#tenantHigh = hash.high;
  }

  /**
   * Counts a series of the request's tenant that is to be announced, or says why it is refused. `labels` must be sorted
   * and valid; `low` and `high` are its id. `isKnown`: the thread has seen it before.
   */
  refusal(labels: LabelSet, low: number, high: number, isKnown: boolean): SeriesRefusal | undefined {
    const { tenantSeriesMax, metricSeriesMax } = this.#limits;
    if (tenantSeriesMax === 0 && metricSeriesMax === 0) return undefined;
    const hash = this.#hash;
    // The same labels are different series in different tenants.
    hash.resume(this.#tenantLow, this.#tenantHigh);
    hash.addWord(low);
    hash.addWord(high);
    hash.finish();
    const { low: idLow, high: idHigh } = hash;
    if (this.#ids.find(idLow, idHigh) !== -1) return undefined;
    const tenant = this.#tenant;
    const metric = this.#metricOf(labels);
    if (!isKnown) {
      if (metric !== -1 && metricSeriesMax > 0 && this.#counts[metric] >= metricSeriesMax) {
        const large = this.#largeMetric(metric);
        large.refusal ??= tooManyOfMetric(nameOf(labels), this.#counts[metric], large);
        return large.refusal;
      }
      if (tenantSeriesMax > 0 && tenant.count >= tenantSeriesMax) {
        tenant.refusal ??= tooManyOfTenant(tenant);
        return tenant.refusal;
      }
    }
    if (!this.#ids.isFull) this.#ids.add(idLow, idHigh);
    tenant.count++;
    if (isNear(tenant.count, tenantSeriesMax)) this.isNearLimit = true;
    if (metric !== -1) this.#count(metric, labels);
    return undefined;
  }

  #count(metric: number, labels: LabelSet): void {
    const { metricSeriesMax } = this.#limits;
    const tenant = this.#tenant;
    const count = ++this.#counts[metric];
    if (isNear(count, metricSeriesMax)) this.isNearLimit = true;
    if (metricSeriesMax > 0 && count * 2 >= metricSeriesMax) {
      this.#noteValues(this.#largeMetric(metric).values, labels);
    }
    if (count <= tenant.largestCount) return;
    tenant.largestCount = count;
    if (tenant.largestEntry === metric) return;
    tenant.largestEntry = metric;
    tenant.largest = nameOf(labels);
  }

  /** Returns the entry of the metric in the request's tenant, or -1 where there are too many. */
  #metricOf(labels: LabelSet): number {
    const pair = metricNamePair(labels);
    const hash = this.#hash;
    hash.resume(this.#tenantLow, this.#tenantHigh);
    hash.addRange(labels.text.data, labels.valueStarts[pair], labels.valueLengths[pair]);
    hash.finish();
    const known = this.#metrics.find(hash.low, hash.high);
    if (known !== -1 || this.#metrics.isFull) return known;
    const metric = this.#metrics.add(hash.low, hash.high);
    const { capacity } = this.#metrics;
    if (capacity > this.#counts.length) this.#counts = resizedInts(this.#counts, capacity);
    return metric;
  }

  #largeMetric(metric: number): LargeMetric {
    const large = this.#large.get(metric) ?? { values: new Map<string, KeyTable>(), refusal: undefined };
    this.#large.set(metric, large);
    return large;
  }

  #noteValues(valuesOf: Map<string, KeyTable>, labels: LabelSet): void {
    const hash = this.#hash;
    for (let i = 0; i < labels.count; i++) {
      const pair = labels.order[i];
      const name = textOf(labels, labels.nameStarts[pair], labels.nameLengths[pair]);
      const values = valuesOf.get(name) ?? new KeyTable(valuesMax);
      valuesOf.set(name, values);
      hash.begin();
      hash.addRange(labels.text.data, labels.valueStarts[pair], labels.valueLengths[pair]);
      hash.finish();
      if (!values.isFull && values.find(hash.low, hash.high) === -1) values.add(hash.low, hash.high);
    }
  }
}

function isNear(count: number, max: number): boolean {
  return max > 0 && count + pointSeriesMax >= max;
}

function noSeries(): TenantSeries {
  return { count: 0, largest: '', largestEntry: -1, largestCount: 0, refusal: undefined };
}

function nameOf(labels: LabelSet): string {
  const pair = metricNamePair(labels);
  return textOf(labels, labels.valueStarts[pair], labels.valueLengths[pair]);
}

function textOf({ text }: LabelSet, start: number, length: number): string {
  return textDecoder.decode(text.data.bytes.subarray(start, start + length));
}

function tooManyOfMetric(metric: string, count: number, { values }: LargeMetric): SeriesRefusal {
  let label = '';
  let most = 0;
  for (const [name, { count: distinct }] of values) {
    if (distinct <= most || name === '__name__') continue;
    most = distinct;
    label = name;
  }
  return {
    reason: 'metric_series_limit',
    message:
      `the metric ${metric} has ${count} active series: new ones are refused (collector.metric_series_max). ` +
      `Its label ${JSON.stringify(label)} has the most values`,
  };
}

function tooManyOfTenant({ count, largest }: TenantSeries): SeriesRefusal {
  return {
    reason: 'tenant_series_limit',
    message:
      `the tenant has ${count} active series: new ones are refused (collector.tenant_series_max). ` +
      `Its metric ${largest} has the most`,
  };
}
