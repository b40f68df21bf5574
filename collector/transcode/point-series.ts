/**
 * From an OTLP data point to its series: the hash of everything that tells series apart (tenant, resource, scope,
 * metric, attributes, role, bound), as raw bytes, and the labels where that hash is new.
 *
 * Also keeps what target_info needs: the newest time of a sample per resource.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeReader } from './any-value.ts';
import { CacheKey } from './cache-key.ts';
import { boundText } from './metric-name.ts';
import type { MetricTranslation } from './metric-translation.ts';
import { OtlpLabels, type OwnLabel, targetInfoName } from './otlp-labels.ts';
import type { RangeList } from './range-list.ts';
import type { RequestTally } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import type { SeriesRefusal } from './series-rules.ts';
import { metricType, type SeriesSink } from './series-sink.ts';

/** Tells apart the series that one data point makes. The numbers are part of cache keys only. */
export const seriesRole = {
  value: 1,
  bucket: 2,
  sum: 3,
  count: 4,
  quantile: 5,
  targetInfo: 6,
  native: 7,
} as const;
export type SeriesRole = (typeof seriesRole)[keyof typeof seriesRole];

/** As Prometheus describes it. */
const targetInfoHelp = textBytes('Target metadata');
const noUnit = textBytes('');

const utf8 = new TextDecoder();
const oneHigh = 0x3ff0_0000;

export class PointSeries {
  /** Why the last push() or identify() returned false. */
  refusal: SeriesRefusal | undefined;
  /** Since when the samples that are pushed count; 0 where nobody says, and from beginPoint() on. */
  startMs = 0;
  /** What the last identify() found. */
  idLow = 0;
  idHigh = 0;
  readonly #reader: ProtobufReader;
  readonly #series: SeriesSink;
  readonly #labels: OtlpLabels;
  readonly #hash = new CacheKey();
  #tenantLow = 0;
  #tenantHigh = 0;
  #resourceLow = 0;
  #resourceHigh = 0;
  #scopeLow = 0;
  #scopeHigh = 0;
  /** The metric that the last point belonged to, in this scope. */
  #metricName: ByteView | undefined;
  #metricLow = 0;
  #metricHigh = 0;
  #pointLow = 0;
  #pointHigh = 0;
  #resources: RangeList | undefined;
  #scopes: RangeList | undefined;
  #schemaUrl = '';
  #attributes: RangeList | undefined;
  #newestMs = -1;

  constructor(
    reader: ProtobufReader,
    values: AttributeReader,
    series: SeriesSink,
    translation: MetricTranslation,
  ) {
    this.#reader = reader;
    this.#series = series;
    this.#labels = new OtlpLabels(reader, values, translation);
  }

  beginRequest(tenant: ByteView): void {
    const hash = this.#hash;
    hash.begin();
    hash.addRange(tenant, 0, tenant.bytes.length);
    this.#tenantLow = hash.low;
    this.#tenantHigh = hash.high;
  }

  /** `resources` must stay as it is until the resource's last point was read. */
  beginResource(resources: RangeList): void {
    this.#resources = resources;
    this.#newestMs = -1;
    this.#labels.beginResource();
    const hash = this.#hash;
    hash.resume(this.#tenantLow, this.#tenantHigh);
    hash.addRanges(this.#reader.source, resources);
    this.#resourceLow = hash.low;
    this.#resourceHigh = hash.high;
  }

  /** `scopes` and `schemaUrls` must stay as they are until the scope's last point was read. */
  beginScope(scopes: RangeList, schemaUrls: RangeList): void {
    this.#scopes = scopes;
    this.#metricName = undefined;
    this.#labels.beginScope();
    const hash = this.#hash;
    hash.resume(this.#resourceLow, this.#resourceHigh);
    hash.addRanges(this.#reader.source, scopes);
    hash.addRanges(this.#reader.source, schemaUrls);
    this.#scopeLow = hash.low;
    this.#scopeHigh = hash.high;
    const last = schemaUrls.count - 1;
    this.#schemaUrl =
      last < 0
        ? ''
        : utf8.decode(this.#reader.source.bytes.subarray(schemaUrls.starts[last], schemaUrls.ends[last]));
  }

  /** `metricName` is the Prometheus name; `attributes` must stay as it is until the point's last find(). */
  beginPoint(metricName: ByteView, attributes: RangeList): void {
    this.#attributes = attributes;
    this.startMs = 0;
    const hash = this.#hash;
    if (metricName !== this.#metricName) this.#beginMetric(metricName);
    hash.resume(this.#metricLow, this.#metricHigh);
    hash.addRanges(this.#reader.source, attributes);
    this.#pointLow = hash.low;
    this.#pointHigh = hash.high;
  }

  #beginMetric(metricName: ByteView): void {
    const hash = this.#hash;
    hash.resume(this.#scopeLow, this.#scopeHigh);
    hash.addRange(metricName, 0, metricName.bytes.length);
    this.#metricName = metricName;
    this.#metricLow = hash.low;
    this.#metricHigh = hash.high;
  }

  /**
   * Appends a sample of the point's series in one role, and since when it counts; `bound` is the le or the quantile where
   * the role has one. Returns false where the series is refused: see `refusal`.
   */
  push(
    name: ByteView,
    metricIndex: number,
    role: SeriesRole,
    bound: number,
    unixMs: number,
    valueLow: number,
    valueHigh: number,
  ): boolean {
    const entry = this.find(name, role, bound, unixMs);
    if (entry === -1) return false;
    this.#series.pushSample(entry, metricIndex, unixMs, valueLow, valueHigh);
    if (this.startMs !== 0) this.#series.notePointStart(entry, name, unixMs, this.startMs);
    return true;
  }

  /**
   * Returns the entry of the point's series in one role, announced for a record at `unixMs`; -1 where it is refused.
   * Valid until the next find().
   */
  find(name: ByteView, role: SeriesRole, bound: number, unixMs: number): number {
    const series = this.#series;
    this.#hashSeries(role, bound);
    const { low, high } = this.#hash;
    let entry = series.find(low, high);
    if (entry === -1 || !series.isAnnounced(entry, unixMs, unixMs)) {
      this.refusal = this.#buildLabels(name, role, bound);
      if (this.refusal !== undefined) return -1;
      if (entry === -1) entry = this.#admit(low, high);
      if (entry === -1) return -1;
      series.announce(entry, this.#labels.labels, unixMs, unixMs);
    }
    if (unixMs > this.#newestMs) this.#newestMs = unixMs;
    return entry;
  }

  /** Says whether the point's series in one role needs no row for a record at `unixMs`. */
  isAnnounced(role: SeriesRole, bound: number, unixMs: number): boolean {
    this.#hashSeries(role, bound);
    const entry = this.#series.find(this.#hash.low, this.#hash.high);
    return entry !== -1 && this.#series.isAnnounced(entry, unixMs, unixMs);
  }

  /** Finds the id of the point's series in one role. Returns false where the series is refused: see `refusal`. */
  identify(name: ByteView, role: SeriesRole, bound: number): boolean {
    const series = this.#series;
    this.#hashSeries(role, bound);
    const { low, high } = this.#hash;
    let entry = series.find(low, high);
    if (entry === -1) {
      this.refusal = this.#buildLabels(name, role, bound);
      if (this.refusal !== undefined) return false;
      entry = this.#admit(low, high);
      if (entry === -1) return false;
    }
    this.idLow = series.idLow(entry);
    this.idHigh = series.idHigh(entry);
    return true;
  }

  #hashSeries(role: SeriesRole, bound: number): void {
    const hash = this.#hash;
    hash.resume(this.#pointLow, this.#pointHigh);
    hash.addWord(role);
    if (role === seriesRole.bucket || role === seriesRole.quantile) {
      boundView.setFloat64(0, bound, true);
      hash.addWord(boundView.getInt32(0, true));
      hash.addWord(boundView.getInt32(4, true));
    }
    hash.finish();
  }

  /** Appends target_info for the resource, at the time of its newest sample, where the resource has more to say. */
  writeTargetInfo(tally: RequestTally): void {
    const unixMs = this.#newestMs;
    if (unixMs < 0) return;
    const hash = this.#hash;
    const series = this.#series;
    hash.resume(this.#resourceLow, this.#resourceHigh);
    hash.addWord(seriesRole.targetInfo);
    hash.finish();
    const { low, high } = hash;
    let entry = series.find(low, high);
    if (entry === -1 || !series.isAnnounced(entry, unixMs, unixMs)) {
      const built = this.#labels.buildTargetInfo(this.#resources!);
      if (built === false) return;
      this.refusal = built === true ? undefined : built;
      if (this.refusal === undefined && entry === -1) entry = this.#admit(low, high);
      if (this.refusal !== undefined) {
        tally.reject(this.refusal.reason, this.refusal.message);
        return;
      }
      series.announce(entry, this.#labels.labels, unixMs, unixMs);
    }
    const index = series.metricIndex(targetInfoName, 0, targetInfoName.bytes.length);
    series.pushSample(entry, index, unixMs, 0, oneHigh);
    const help = targetInfoHelp;
    series.describe(targetInfoName, metricType.gauge, help, 0, help.bytes.length, noUnit);
  }

  #buildLabels(name: ByteView, role: SeriesRole, bound: number): SeriesRefusal | undefined {
    let own: OwnLabel | undefined;
    if (role === seriesRole.bucket) own = { name: 'le', value: boundText(bound) };
    if (role === seriesRole.quantile) own = { name: 'quantile', value: boundText(bound) };
    const labels = this.#labels;
    return labels.build(name, this.#attributes!, own, this.#resources!, this.#scopes!, this.#schemaUrl);
  }

  #admit(low: number, high: number): number {
    const entry = this.#series.admit(low, high, this.#labels.labels);
    this.refusal = this.#series.refusal;
    return entry;
  }
}

const boundView = new DataView(new ArrayBuffer(8));
