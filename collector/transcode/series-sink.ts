/**
 * Where samples, native histograms and exemplars go, whoever sent them, and the rows of `series` and `metric_metadata`
 * that give them names. OTLP metrics and remote write share one, so that a series has one identity.
 *
 * A series is announced (a `series` row) when a worker first sees it and again when its samples enter another 2 h
 * bucket. t_min and t_max are the bounds of whole buckets: every sample is inside them, also late ones, and a reader
 * that filters by them never misses a series.
 */

import type { RunStanding } from '#collector/run.ts';
import { notePartitionMs } from '#store/tables.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { Hash64 } from './byte-hash.ts';
import type { LowCardinalityColumn } from './column-low-cardinality.ts';
import { ExemplarColumns } from './exemplar-columns.ts';
import { HistogramColumns } from './histogram-columns.ts';
import { KeyTable } from './key-table.ts';
import type { LabelSet } from './label-set.ts';
import type { NativeHistogram } from './native-histogram.ts';
import { type NotedSink, PartitionLedger } from './partition-ledger.ts';
import { type RecordWindow, twoTo32 } from './record-window.ts';
import { textBytes } from './resource-scope.ts';
import type { SampleMemory } from './sample-memory.ts';
import { SeriesCache } from './series-cache.ts';
import { MetadataColumns, SampleColumns, SampleStartColumns, SeriesColumns } from './series-columns.ts';
import { SeriesGuard, type SeriesLimits } from './series-guard.ts';
import { metricNamePair, type SeriesRefusal, seriesRefusal } from './series-rules.ts';
import type { TableSink } from './table-sink.ts';

const bucketSeconds = 7200;
const bucketMs = bucketSeconds * 1000;
const secondMax = 0xffff_ffff;
const dayMs = 86_400_000;
/** Metric families, with their help and unit, that a worker remembers to have announced today. */
const metadataEntriesMax = 1 << 16;
/** Longer help texts are cut: they are for a person's eyes, and each series of a family may repeat them. */
const helpBytesMax = 4096;

/** Prometheus's metric types by the numbers that remote write gives them (1.0 and 2.0 agree). */
const metricTypes = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
].map(textBytes);
export const metricType = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
} as const;

export class SeriesSink {
  readonly #samples = new SampleColumns();
  readonly #series = new SeriesColumns();
  readonly #metadata = new MetadataColumns();
  readonly #starts = new SampleStartColumns();
  readonly #histograms = new HistogramColumns();
  readonly #exemplars = new ExemplarColumns();
  readonly ledgers = {
    samples: new PartitionLedger(notePartitionMs.samples_head),
    histograms: new PartitionLedger(notePartitionMs.histograms_head),
    exemplars: new PartitionLedger(notePartitionMs.exemplars),
  };
  /** Tables that may have a row twice: what names samples, which is inserted before them. */
  readonly namingSinks: readonly TableSink[] = [this.#metadata.sink, this.#series.sink, this.#starts.sink];
  readonly notedSinks: readonly NotedSink[] = [
    { sink: this.#samples.sink, ledger: this.ledgers.samples },
    { sink: this.#histograms.sink, ledger: this.ledgers.histograms },
    { sink: this.#exemplars.sink, ledger: this.ledgers.exemplars },
  ];
  /** Why the last admit() returned -1. */
  refusal: SeriesRefusal | undefined;
  readonly #window: RecordWindow;
  readonly #guard: SeriesGuard;
  readonly #cache = new SeriesCache();
  readonly #hash = new Hash64();
  readonly #families = new KeyTable(metadataEntriesMax);
  /** 1 where the family's row is in a block. */
  readonly #isDescribed = new Uint8Array(metadataEntriesMax);
  #describedSinceMark: number[] = [];
  #epoch = 0;
  #tenant = textBytes('');
  #samplesBefore = 0;
  #seriesBefore = 0;
  #metadataBefore = 0;
  // The metric's name that was asked for last, and its number.
  #lastSource: ByteView | undefined;
  #lastStart = 0;
  #lastLength = 0;
  #startsBefore = 0;
  #histogramsBefore = 0;
  #exemplarsBefore = 0;
  #lastMetric = 0;

  constructor(window: RecordWindow, limits: SeriesLimits) {
    this.#window = window;
    this.#guard = new SeriesGuard(limits);
  }

  /** Forgets what was announced when the epoch changed: an insert failed, and its rows may be missing. */
  beginTask(epoch: number, standing?: RunStanding): void {
    this.#guard.begin(this.#window.nowUnixMs);
    this.#cache.memory.beginRun(standing);
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.forget();
  }

  /** Forgets which series and families were announced: their rows may not have been stored. */
  forget(): void {
    this.#cache.clear();
    this.#clearFamilies();
  }

  beginRequest(tenant: string, tenantBytes: ByteView): void {
    this.#guard.beginRequest(tenant);
    this.#tenant = tenantBytes;
    this.#samplesBefore = this.#samples.ts.count;
    this.#seriesBefore = this.#series.id.count;
    this.#metadataBefore = this.#metadata.updated.count;
    this.#startsBefore = this.#starts.ts.count;
    this.#histogramsBefore = this.#histograms.ts.count;
    this.#exemplarsBefore = this.#exemplars.ts.count;
  }

  /** Samples of this request so far. */
  get sampleCount(): number {
    return this.#samples.ts.count - this.#samplesBefore;
  }

  /** Native histograms of this request so far. */
  get histogramCount(): number {
    return this.#histograms.ts.count - this.#histogramsBefore;
  }

  /** Exemplars of this request so far. */
  get exemplarCount(): number {
    return this.#exemplars.ts.count - this.#exemplarsBefore;
  }

  /** Writes what is the same for all rows of the request. */
  endRequest(): void {
    this.#writeTenant(this.#samples.tenant, this.sampleCount);
    this.#writeTenant(this.#series.tenant, this.#series.id.count - this.#seriesBefore);
    this.#writeTenant(this.#metadata.tenant, this.#metadata.updated.count - this.#metadataBefore);
    this.#writeTenant(this.#starts.tenant, this.#starts.ts.count - this.#startsBefore);
    this.#writeTenant(this.#histograms.tenant, this.histogramCount);
    this.#writeTenant(this.#exemplars.tenant, this.exemplarCount);
  }

  #writeTenant(tenant: LowCardinalityColumn, rowCount: number): void {
    const { dictionary } = tenant;
    tenant.pushRepeated(dictionary.indexOf(this.#tenant, 0, this.#tenant.bytes.length), rowCount);
  }

  /** Returns the entry of a series by the hash of its raw bytes and its tenant, or -1. Valid until the next admit(). */
  find(low: number, high: number): number {
    return this.#cache.find(low, high);
  }

  /**
   * Adds a series that find() does not know, by the same hash, and returns its entry; -1 where its labels are refused or
   * it is one too many: see `refusal`. `labels` must be sorted; the id is the hash of their canonical form.
   */
  admit(low: number, high: number, labels: LabelSet): number {
    this.refusal = seriesRefusal(labels);
    if (this.refusal !== undefined) return -1;
    labels.hash(this.#hash);
    const { low: idLow, high: idHigh } = this.#hash;
    this.refusal = this.#guard.refusal(labels, idLow, idHigh, false);
    return this.refusal === undefined ? this.#cache.add(low, high, idLow, idHigh) : -1;
  }

  /** Whether one of the series of a data point may be one too many. */
  get isNearLimit(): boolean {
    return this.#guard.isNearLimit;
  }

  idLow(entry: number): number {
    return this.#cache.idLow(entry);
  }

  idHigh(entry: number): number {
    return this.#cache.idHigh(entry);
  }

  /** Returns the number of a metric's name, for pushSample. Valid within one task, in which the bytes must not change. */
  metricIndex(source: ByteView, start: number, length: number): number {
    // Series of one metric come together, and in one request their names mostly are the same bytes.
    if (start === this.#lastStart && length === this.#lastLength && source === this.#lastSource) {
      return this.#lastMetric;
    }
    this.#lastSource = source;
    this.#lastStart = start;
    this.#lastLength = length;
    const { dictionary } = this.#samples.metric;
    if (!dictionary.matches(this.#lastMetric, source, start, length)) {
      this.#lastMetric = dictionary.indexOf(source, start, length);
    }
    return this.#lastMetric;
  }

  /** Appends a sample where its partition does not hold it yet; the value is any 64 bits, so that stale markers arrive as they were sent. */
  pushSample(entry: number, metricIndex: number, unixMs: number, valueLow: number, valueHigh: number): void {
    if (!this.ledgers.samples.admitsMs(unixMs)) return;
    const samples = this.#samples;
    samples.metric.indexes.push(metricIndex);
    samples.id.pushUint64(this.#cache.idLow(entry), this.#cache.idHigh(entry));
    // Not by %: of doubles, that is a call into C.
    const high = Math.floor(unixMs / twoTo32);
    samples.ts.pushUint64(unixMs - high * twoTo32, high);
    samples.v.pushUint64(valueLow, valueHigh);
  }

  /** The newest sample of each series, by its entry. */
  get memory(): SampleMemory {
    return this.#cache.memory;
  }

  /** Appends since when a series counts, where that is not known. Both times must be in the window. */
  noteStart(
    entry: number,
    metric: ByteView,
    start: number,
    length: number,
    unixMs: number,
    startMs: number,
  ): void {
    if (!this.#cache.memory.isNewStart(entry, startMs, Math.floor(unixMs / bucketMs))) return;
    this.#pushStart(entry, metric, start, length, unixMs, startMs);
  }

  /** The same for a sample of an OTLP point, which is not judged. `metric` is the whole name. */
  notePointStart(entry: number, metric: ByteView, unixMs: number, startMs: number): void {
    if (!this.#cache.memory.isNewPointStart(entry, startMs, Math.floor(unixMs / bucketMs))) return;
    this.#pushStart(entry, metric, 0, metric.bytes.length, unixMs, startMs);
  }

  #pushStart(
    entry: number,
    metric: ByteView,
    start: number,
    length: number,
    unixMs: number,
    startMs: number,
  ): void {
    const starts = this.#starts;
    starts.metric.pushRange(metric, start, length);
    starts.id.pushUint64(this.#cache.idLow(entry), this.#cache.idHigh(entry));
    starts.ts.pushUint64(unixMs % twoTo32, Math.floor(unixMs / twoTo32));
    starts.startTs.pushUint64(startMs % twoTo32, Math.floor(startMs / twoTo32));
  }

  /** Appends a native histogram that passed the rules, of the metric whose name is in `metric`. */
  pushHistogram(
    entry: number,
    metric: ByteView,
    start: number,
    length: number,
    histogram: NativeHistogram,
  ): void {
    if (!this.ledgers.histograms.admitsMs(histogram.unixMs)) return;
    const cache = this.#cache;
    this.#histograms.push(metric, start, length, cache.idLow(entry), cache.idHigh(entry), histogram);
  }

  /**
   * Begins an exemplar of a series; its values must be pushed to the columns that are returned: undefined where its
   * partition holds it already.
   */
  beginExemplar(
    entry: number,
    metric: ByteView,
    start: number,
    length: number,
    unixMs: number,
  ): ExemplarColumns | undefined {
    if (!this.ledgers.exemplars.admitsMs(unixMs)) return undefined;
    const cache = this.#cache;
    this.#exemplars.pushSeries(metric, start, length, cache.idLow(entry), cache.idHigh(entry));
    return this.#exemplars;
  }

  /** Says whether a series needs no row for samples between two times. */
  isAnnounced(entry: number, firstMs: number, lastMs: number): boolean {
    return this.#cache.isAnnounced(entry, Math.floor(firstMs / bucketMs), Math.floor(lastMs / bucketMs));
  }

  /** Appends the `series` row for samples between two times. `labels` must be the series' own, sorted and valid. */
  announce(entry: number, labels: LabelSet, firstMs: number, lastMs: number): void {
    const { id, metric, labels: map, tMin, tMax } = this.#series;
    const cache = this.#cache;
    // One that was admitted in an earlier window is active in this one.
    this.#guard.refusal(labels, cache.idLow(entry), cache.idHigh(entry), true);
    cache.announce(entry, Math.floor(firstMs / bucketMs), Math.floor(lastMs / bucketMs));
    const text = labels.text.data;
    const name = metricNamePair(labels);
    metric.pushRange(text, labels.valueStarts[name], labels.valueLengths[name]);
    id.pushUint64(cache.idLow(entry), cache.idHigh(entry));
    for (let i = 0; i < labels.count; i++) {
      const pair = labels.order[i];
      if (pair === name) continue;
      map.pushKey(text, labels.nameStarts[pair], labels.nameLengths[pair]);
      map.values.pushRange(text, labels.valueStarts[pair], labels.valueLengths[pair]);
    }
    map.endRow();
    tMin.pushUint32(cache.firstBucket(entry) * bucketSeconds);
    tMax.pushUint32(Math.min(secondMax, (cache.lastBucket(entry) + 1) * bucketSeconds - 1));
  }

  /** Appends a `metric_metadata` row, once a day per family, type, help and unit. */
  describe(
    family: ByteView,
    type: number,
    helpSource: ByteView,
    helpStart: number,
    helpLength: number,
    unit: ByteView,
  ): void {
    const knownType = metricTypes[type] === undefined ? metricType.unknown : type;
    const hash = this.#hash;
    hash.begin();
    hash.addRange(this.#tenant, 0, this.#tenant.bytes.length);
    hash.addRange(family, 0, family.bytes.length);
    hash.addRange(helpSource, helpStart, helpLength);
    hash.addRange(unit, 0, unit.bytes.length);
    hash.addWord(knownType);
    hash.addWord(Math.floor(this.#window.nowUnixMs / dayMs));
    hash.finish();
    let entry = this.#families.find(hash.low, hash.high);
    if (entry === -1) {
      if (this.#families.isFull) this.#clearFamilies();
      entry = this.#families.add(hash.low, hash.high);
    } else if (this.#isDescribed[entry] === 1) return;
    this.#isDescribed[entry] = 1;
    this.#describedSinceMark.push(entry);
    const metadata = this.#metadata;
    const typeText = metricTypes[knownType];
    metadata.metric.pushRange(family, 0, family.bytes.length);
    metadata.type.pushRange(typeText, 0, typeText.bytes.length);
    metadata.help.pushRange(helpSource, helpStart, cutLength(helpSource, helpStart, helpLength));
    metadata.unit.pushRange(unit, 0, unit.bytes.length);
    metadata.updated.pushUint32(Math.floor(this.#window.nowUnixMs / 1000));
  }

  mark(): void {
    this.#cache.mark();
    this.#describedSinceMark = [];
  }

  rollback(): void {
    this.#cache.rollback();
    for (const entry of this.#describedSinceMark) this.#isDescribed[entry] = 0;
    this.#describedSinceMark = [];
    this.#forgetMetric();
  }

  /** Its number may have been rolled back with the dictionary. */
  #forgetMetric(): void {
    this.#lastSource = undefined;
    this.#lastMetric = 0;
  }

  /** Entries are numbered anew afterwards: a rollback may then have one family too many described again. */
  #clearFamilies(): void {
    this.#families.clear();
    this.#isDescribed.fill(0);
  }

  reset(): void {
    this.#forgetMetric();
    for (const sink of this.namingSinks) sink.reset();
    for (const { sink } of this.notedSinks) sink.reset();
  }
}

/** Returns how much of a help text is kept: whole characters of UTF-8. */
function cutLength(source: ByteView, start: number, length: number): number {
  if (length <= helpBytesMax) return length;
  let kept = helpBytesMax;
  while (kept > 0 && (source.bytes[start + kept] & 0xc0) === 0x80) kept--;
  return kept;
}
