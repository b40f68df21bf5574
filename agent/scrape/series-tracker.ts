/**
 * What a source of samples reported last time, so that a series which is gone gets its stale marker, once.
 *
 *   begin(1000); write(up, 1); write(old, 1); end()  ->  up 1, old 1
 *   begin(2000); write(up, 1);                end()  ->  up 1, old stale
 *   begin(3000);                              end()  ->  up stale
 *
 * One run (begin, write*, end) makes the requests of one scrape. Series stay in the request where they were put first, so
 * that a known series costs a copy; a large source fills several requests, each below requestBytesMax.
 */
import { type Labels, metricNameLabel } from '#model/labels.ts';
import { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import {
  writeExemplarField,
  writeHistogramField,
  writeSampleField,
  writeStaleHistogramField,
} from '#wire/remote-write/record-fields.ts';
import { type MetricType, noMetadata } from '#wire/remote-write/request-encoder.ts';
import { type LabelTexts, TextEncoding } from './label-texts.ts';
import { type MetricDescription, RequestPart } from './request-part.ts';
import { SeriesColumns } from './series-columns.ts';

export interface TrackedRequest {
  readonly bytes: Uint8Array;
  readonly sampleCount: number;
}

export interface TrackedRun {
  readonly requests: readonly TrackedRequest[];
  readonly staleCount: number;
  /** Whether series numbers from before are void: see end(). */
  readonly isRenumbered: boolean;
}

/** duplicate: of two samples with one time the first stands. out_of_order: it is older than the last one of its series. */
export type WriteOutcome = 'written' | 'duplicate' | 'out_of_order';

export interface TrackedExemplar {
  readonly labels: Labels;
  readonly value: number;
  /** NaN: the time of its sample. */
  readonly timestampMs: number;
}

/** A histogram, or a sample that has exemplars. */
export interface TrackedRecord {
  readonly value: number;
  /** What writeHistogramValue made; undefined for a sample. */
  readonly histogram: Uint8Array | undefined;
  readonly exemplars: readonly TrackedExemplar[];
  /** As in write(). */
  readonly timestampMs: number;
  readonly startMs: number;
}

/** Below the 1 MB that Kafka brokers take by default, so that no scrape depends on compression to get through. */
export const requestBytesMaxDefault = 900_000;
/** Parts of a request's bytes that series and help texts may plan for; the rest is room for references and repeats. */
const seriesBytesShare = 0.75;
const helpBytesShare = 0.15;
/** Vanished series are forgotten when there are twice as many as live ones, and so many more. */
const forgottenSeriesMin = 4096;
const fieldsBytes = 512;
const encoding = new TextEncoding();

interface Described {
  readonly part: RequestPart | undefined;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
  readonly metadata: number;
}

/** Bits of SeriesColumns.flags. */
const isLive = 1;
const isHistogram = 2;

export class SeriesTracker {
  readonly #requestBytesMax: number;
  /** Whether series with times of their own end with stale markers too. */
  tracksOwnTimes = false;
  #parts: RequestPart[] = [];
  #columns = new SeriesColumns();
  readonly #fields = new ByteWriter(fieldsBytes);

  #run = 0;
  #timestampMs = 0;
  #requests: TrackedRequest[] = [];
  #addedCount = 0;
  /** What #metadataOf was asked last. */
  #described: Described = { part: undefined, type: 'unknown', help: '', unit: '', metadata: noMetadata };

  constructor(requestBytesMax = requestBytesMaxDefault) {
    this.#requestBytesMax = requestBytesMax;
  }

  get seriesCount(): number {
    return this.#columns.count;
  }

  /** Series that this run wrote and the run before it did not. */
  get addedCount(): number {
    return this.#addedCount;
  }

  /**
   * Returns the number of a series, which is new where it is unknown. Valid until a run says isRenumbered. What its metric
   * is can be said here or by setMetadata.
   */
  seriesOf(labels: Labels, description?: MetricDescription): number {
    return this.seriesOfTexts(encoding.labels(labels), description);
  }

  /** As seriesOf, for labels that are bytes. */
  seriesOfTexts(texts: LabelTexts, description?: MetricDescription): number {
    const hash = texts.hash();
    const columns = this.#columns;
    for (let slot = columns.firstSlot(hash); ; slot = columns.nextSlot(slot)) {
      const series = columns.at(slot);
      if (series < 0) break;
      if (columns.hashes[series] !== hash) continue;
      const part = this.#partOf(series);
      if (!part.hasLabels(series - part.base, texts)) continue;
      if (description) this.setMetadata(series, description);
      return series;
    }
    const part = this.#partWithRoom() ?? this.#addPart();
    this.#endPassing(part);
    part.addSeries(texts, description ? this.#metadataOf(part, description) : noMetadata);
    return columns.add(this.#parts.length - 1, hash);
  }

  labels(series: number): Labels {
    const part = this.#partOf(series);
    return part.labels(series - part.base);
  }

  metricName(series: number): string {
    const part = this.#partOf(series);
    return part.labelValue(series - part.base, metricNameLabel);
  }

  /** Says what the series' metric is. A help text that finds no room in the request is left out. */
  setMetadata(series: number, description: MetricDescription): void {
    const part = this.#partOf(series);
    this.#endPassing(part);
    part.setMetadata(series - part.base, this.#metadataOf(part, description));
  }

  begin(timestampMs: number): void {
    this.#run++;
    this.#timestampMs = timestampMs;
    this.#addedCount = 0;
    for (const part of this.#parts) part.beginRun(timestampMs);
  }

  /**
   * Writes a sample. `timestampMs` NaN means the run's own time; a series that brings its own is only marked stale where
   * tracksOwnTimes says so. `startMs` is since when a counter counts; 0 where that is not known.
   */
  write(series: number, value: number, timestampMs: number, startMs = 0): WriteOutcome {
    const time = Number.isNaN(timestampMs) ? this.#timestampMs : timestampMs;
    const outcome = this.#admit(series, time, Number.isNaN(timestampMs), 0);
    if (outcome !== 'written') return outcome;
    const part = this.#partOf(series);
    const hasGrown = part.writeSample(series - part.base, value, time, knownStart(startMs, time));
    if (hasGrown && part.requestBytes > this.#requestBytesMax) this.#finish(part);
    return 'written';
  }

  /** Writes a histogram, or a sample with exemplars. */
  writeRecord(series: number, record: TrackedRecord): WriteOutcome {
    const { value, histogram, timestampMs, startMs, exemplars } = record;
    const time = Number.isNaN(timestampMs) ? this.#timestampMs : timestampMs;
    const kind = histogram === undefined ? 0 : isHistogram;
    const outcome = this.#admit(series, time, Number.isNaN(timestampMs), kind);
    if (outcome !== 'written') return outcome;
    const part = this.#partOf(series);
    const fields = this.#fields;
    fields.clear();
    const start = knownStart(startMs, time);
    if (histogram === undefined) writeSampleField(fields, value, time, start);
    else writeHistogramField(fields, histogram, time, start);
    for (const exemplar of exemplars) {
      const refs = exemplar.labels.flatMap((pair) => pair.map((text) => part.passingSymbol(text)));
      const exemplarMs = Number.isNaN(exemplar.timestampMs) ? time : exemplar.timestampMs;
      writeExemplarField(fields, refs, exemplar.value, exemplarMs);
    }
    part.writeFields(series - part.base, fields);
    if (part.requestBytes > this.#requestBytesMax) this.#finish(part);
    return 'written';
  }

  /** Ends the run: marks what it did not write as stale, and returns its requests. May renumber the series to forget some. */
  end(): TrackedRun {
    let staleCount = 0;
    const { count, seenRun, flags } = this.#columns;
    const runBefore = this.#run - 1;
    for (let series = 0; series < count; series++) {
      if (seenRun[series] !== runBefore || (flags[series]! & isLive) === 0) continue;
      this.#writeStale(series, (flags[series]! & isHistogram) !== 0);
      staleCount++;
    }
    for (const part of this.#parts) if (part.sampleCount > 0) this.#finish(part);
    const requests = this.#requests;
    this.#requests = [];
    return { requests, staleCount, isRenumbered: this.#forgetVanished() };
  }

  /** Notes that a series has a record at `time`, or says why it cannot have one. */
  #admit(series: number, time: number, isRunTime: boolean, kind: number): WriteOutcome {
    const { seenRun, seenTimestampMs, flags } = this.#columns;
    const lastRun = seenRun[series]!;
    const lastMs = seenTimestampMs[series]!;
    if (lastRun === this.#run) {
      if (lastMs === time) return 'duplicate';
      if (time < lastMs) return 'out_of_order';
    } else {
      // A time of its own that stands still is sent again: the same sample, which the store has once.
      if (lastRun >= 0 && time < lastMs && !isRunTime) return 'out_of_order';
      if (lastRun !== this.#run - 1) this.#addedCount++;
      seenRun[series] = this.#run;
    }
    seenTimestampMs[series] = time;
    flags[series] = kind | (isRunTime || this.tracksOwnTimes ? isLive : 0);
    return 'written';
  }

  #writeStale(series: number, isOfHistogram: boolean): void {
    const part = this.#partOf(series);
    if (isOfHistogram) {
      this.#fields.clear();
      writeStaleHistogramField(this.#fields, this.#timestampMs);
      part.writeFields(series - part.base, this.#fields);
    } else part.writeStaleMarker(series - part.base, this.#timestampMs);
    if (part.requestBytes > this.#requestBytesMax) this.#finish(part);
  }

  #finish(part: RequestPart): void {
    const { sampleCount } = part;
    this.#requests.push({ bytes: part.finish(), sampleCount });
  }

  /** A request with passing symbols is ended before symbols that stay are added: those come first. */
  #endPassing(part: RequestPart): void {
    if (part.hasPassingSymbols) this.#finish(part);
  }

  #metadataOf(part: RequestPart, { type, help, unit = '' }: MetricDescription): number {
    const last = this.#described;
    if (part === last.part && help === last.help && type === last.type && unit === last.unit) {
      return last.metadata;
    }
    const metadata = part.addMetadata({ type, help, unit }, this.#requestBytesMax * helpBytesShare);
    this.#described = { part, type, help, unit, metadata };
    return metadata;
  }

  #partOf(series: number): RequestPart {
    return this.#parts[this.#columns.part[series]!]!;
  }

  #partWithRoom(): RequestPart | undefined {
    const last = this.#parts.at(-1);
    if (!last) return undefined;
    return last.seriesBytes < this.#requestBytesMax * seriesBytesShare ? last : undefined;
  }

  #addPart(): RequestPart {
    this.#parts.at(-1)?.seal();
    const part = new RequestPart(this.#columns.count);
    if (this.#run > 0) part.beginRun(this.#timestampMs);
    this.#parts.push(part);
    return part;
  }

  #forgetVanished(): boolean {
    const { count, seenRun } = this.#columns;
    // A series of the run before counts as known still: a target that fails once comes back with all of them.
    const runMin = this.#run - 1;
    let keptCount = 0;
    for (let series = 0; series < count; series++) if (seenRun[series]! >= runMin) keptCount++;
    if (count <= keptCount * 3 + forgottenSeriesMin) return false;
    const next = new SeriesTracker(this.#requestBytesMax);
    for (let series = 0; series < count; series++) {
      if (seenRun[series]! < runMin) continue;
      next.#columns.copy(next.seriesOf(this.labels(series)), this.#columns, series);
    }
    this.#parts = next.#parts;
    this.#columns = next.#columns;
    return true;
  }
}

/** A start after the sample comes from clocks that differ: it is not said, as receivers refuse it. */
function knownStart(startMs: number, timestampMs: number): number {
  return startMs <= timestampMs ? startMs : 0;
}
