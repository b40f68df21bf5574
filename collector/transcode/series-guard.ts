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
import { KeyTable } from './key-table.ts';
import type { LabelSet } from './label-set.ts';
import { metricNamePair, type SeriesRefusal } from './series-rules.ts';

export interface SeriesLimits {
  /** Of one tenant. 0 is no limit. */
  readonly tenantSeriesMax: number;
  /** Of one metric of one tenant. 0 is no limit. */
  readonly metricSeriesMax: number;
}

/** Of a tenant or of one of its metrics, in this window. */
interface ActiveSeries {
  count: number;
  /** Distinct values of each label, since half of the limit was reached. */
  readonly values: Map<string, KeyTable>;
  refusal: SeriesRefusal | undefined;
}

const windowMs = 7_200_000;
/** 64 MiB of ids at most; beyond that a series may be counted twice. */
const idsMax = 1 << 22;
/** Enough to tell a label with few values from one with many. Must be a size that KeyTable takes. */
const valuesMax = 1024;
const textDecoder = new TextDecoder();

export class SeriesGuard {
  readonly #limits: SeriesLimits;
  readonly #hash = new Hash64();
  readonly #tenants = new Map<string, ActiveSeries>();
  readonly #metrics = new Map<string, ActiveSeries>();
  #ids = new KeyTable(idsMax);
  #window = 0;

  constructor(limits: SeriesLimits) {
    this.#limits = limits;
  }

  /** Begins a new count where `nowUnixMs` is in another window than before. */
  begin(nowUnixMs: number): void {
    const window = Math.floor(nowUnixMs / windowMs);
    if (window === this.#window) return;
    this.#window = window;
    this.#tenants.clear();
    this.#metrics.clear();
    this.#ids = new KeyTable(idsMax);
  }

  /**
   * Counts a series that is to be announced, or says why it is refused. `labels` must be sorted and valid; `low` and
   * `high` are its id. `isKnown`: the thread has seen it before.
   */
  refusal(
    tenant: string,
    labels: LabelSet,
    low: number,
    high: number,
    isKnown: boolean,
  ): SeriesRefusal | undefined {
    // The same labels are different series in different tenants.
    this.#hash.begin();
    this.#hash.addWord(low);
    this.#hash.addWord(high);
    for (let i = 0; i < tenant.length; i++) this.#hash.addWord(tenant.charCodeAt(i));
    this.#hash.finish();
    if (this.#ids.find(this.#hash.low, this.#hash.high) !== -1) return undefined;
    const metric = nameOf(labels);
    const ofTenant = activeOf(this.#tenants, tenant);
    const ofMetric = activeOf(this.#metrics, `${tenant}\n${metric}`);
    const { tenantSeriesMax, metricSeriesMax } = this.#limits;
    const isMetricFull = metricSeriesMax > 0 && ofMetric.count >= metricSeriesMax;
    const isTenantFull = tenantSeriesMax > 0 && ofTenant.count >= tenantSeriesMax;
    if (!isKnown && isMetricFull) {
      ofMetric.refusal ??= tooManyOfMetric(metric, ofMetric);
      return ofMetric.refusal;
    }
    if (!isKnown && isTenantFull) {
      ofTenant.refusal ??= tooManyOfTenant(ofTenant, this.#largest(tenant));
      return ofTenant.refusal;
    }
    if (!this.#ids.isFull) this.#ids.add(this.#hash.low, this.#hash.high);
    ofTenant.count++;
    ofMetric.count++;
    if (metricSeriesMax > 0 && ofMetric.count * 2 >= metricSeriesMax) this.#noteValues(ofMetric, labels);
    return undefined;
  }

  #noteValues(active: ActiveSeries, labels: LabelSet): void {
    const hash = this.#hash;
    for (let pair = 0; pair < labels.count; pair++) {
      const name = textOf(labels, labels.nameStarts[pair], labels.nameLengths[pair]);
      const values = active.values.get(name) ?? new KeyTable(valuesMax);
      active.values.set(name, values);
      hash.begin();
      hash.addRange(labels.text.data, labels.valueStarts[pair], labels.valueLengths[pair]);
      hash.finish();
      if (!values.isFull && values.find(hash.low, hash.high) === -1) values.add(hash.low, hash.high);
    }
  }

  /** The metric of a tenant with the most series. */
  #largest(tenant: string): string {
    let largest = '';
    let most = 0;
    for (const [key, { count }] of this.#metrics) {
      if (count <= most || !key.startsWith(`${tenant}\n`)) continue;
      most = count;
      largest = key.slice(tenant.length + 1);
    }
    return largest;
  }
}

function activeOf(map: Map<string, ActiveSeries>, key: string): ActiveSeries {
  const active = map.get(key) ?? { count: 0, values: new Map<string, KeyTable>(), refusal: undefined };
  map.set(key, active);
  return active;
}

function nameOf(labels: LabelSet): string {
  const pair = metricNamePair(labels);
  return pair === -1 ? '' : textOf(labels, labels.valueStarts[pair], labels.valueLengths[pair]);
}

function textOf({ text }: LabelSet, start: number, length: number): string {
  return textDecoder.decode(text.data.bytes.subarray(start, start + length));
}

function tooManyOfMetric(metric: string, { count, values }: ActiveSeries): SeriesRefusal {
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

function tooManyOfTenant({ count }: ActiveSeries, metric: string): SeriesRefusal {
  return {
    reason: 'tenant_series_limit',
    message:
      `the tenant has ${count} active series: new ones are refused (collector.tenant_series_max). ` +
      `Its metric ${metric} has the most`,
  };
}
