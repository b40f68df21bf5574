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
import type { Labels } from '#model/labels.ts';
import { type MetricType, noMetadata, RequestEncoder } from '#wire/remote-write/request-encoder.ts';

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

/** Below the 1 MB that Kafka brokers take by default, so that no scrape depends on compression to get through. */
export const requestBytesMaxDefault = 900_000;
/** Parts of a request's bytes that series and help texts may plan for; the rest is room for references and repeats. */
const seriesBytesShare = 0.75;
const helpBytesShare = 0.15;
/** Vanished series are forgotten when there are twice as many as live ones, and so many more. */
const forgottenSeriesMin = 4096;

interface Part {
  readonly encoder: RequestEncoder;
  /** The number of the encoder's first series. */
  readonly base: number;
  helpBytes: number;
}

export class SeriesTracker {
  readonly #requestBytesMax: number;
  #parts: Part[] = [];
  // One entry per series.
  #partIndex: number[] = [];
  #metadata: number[] = [];
  #seenRun: number[] = [];
  #seenTimestampMs: number[] = [];

  #run = 0;
  #timestampMs = 0;
  #requests: TrackedRequest[] = [];
  /** Series that get a stale marker when a run does not write them. */
  #live: number[] = [];
  #liveNext: number[] = [];
  #addedCount = 0;

  constructor(requestBytesMax = requestBytesMaxDefault) {
    this.#requestBytesMax = requestBytesMax;
  }

  get seriesCount(): number {
    return this.#partIndex.length;
  }

  /** Series that this run wrote and the run before it did not. */
  get addedCount(): number {
    return this.#addedCount;
  }

  /** Returns the number of a series, which is new where it is unknown. Valid until a run says isRenumbered. */
  seriesOf(labels: Labels): number {
    for (let i = this.#parts.length - 1; i >= 0; i--) {
      const found = this.#parts[i]!.encoder.findSeries(labels);
      if (found >= 0) return this.#parts[i]!.base + found;
    }
    const part = this.#partWithRoom();
    const series = part.base + part.encoder.addSeries(labels);
    this.#partIndex.push(this.#parts.length - 1);
    this.#metadata.push(noMetadata);
    this.#seenRun.push(-1);
    this.#seenTimestampMs.push(0);
    return series;
  }

  labels(series: number): Labels {
    const part = this.#partOf(series);
    return part.encoder.labels(series - part.base);
  }

  /** Says what the series' metric is. A help text that finds no room in the request is left out. */
  setMetadata(series: number, type: MetricType, help: string, unit: string): void {
    const part = this.#partOf(series);
    const symbolBytes = part.encoder.requestBytes;
    const fits = part.helpBytes + help.length * 3 < this.#requestBytesMax * helpBytesShare;
    this.#metadata[series] = part.encoder.addMetadata(type, fits ? help : '', unit);
    part.helpBytes += part.encoder.requestBytes - symbolBytes;
  }

  begin(timestampMs: number): void {
    this.#run++;
    this.#timestampMs = timestampMs;
    this.#addedCount = 0;
  }

  /**
   * Writes a sample. `timestampMs` NaN means the run's own time; a series that brings its own is never marked stale.
   * Returns false for a second sample of the same series and time: the first one stands.
   */
  write(series: number, value: number, timestampMs: number): boolean {
    const isOwnTime = Number.isNaN(timestampMs);
    const time = isOwnTime ? this.#timestampMs : timestampMs;
    if (this.#seenRun[series] === this.#run) {
      if (this.#seenTimestampMs[series] === time) return false;
    } else {
      if (this.#seenRun[series] !== this.#run - 1) this.#addedCount++;
      this.#seenRun[series] = this.#run;
      if (isOwnTime) this.#liveNext.push(series);
    }
    this.#seenTimestampMs[series] = time;
    const part = this.#partOf(series);
    part.encoder.writeSample(series - part.base, this.#metadata[series]!, value, time);
    if (part.encoder.requestBytes > this.#requestBytesMax) this.#finish(part);
    return true;
  }

  /** Ends the run: marks what it did not write as stale, and returns its requests. May renumber the series to forget some. */
  end(): TrackedRun {
    let staleCount = 0;
    for (const series of this.#live) {
      if (this.#seenRun[series] === this.#run) continue;
      const part = this.#partOf(series);
      part.encoder.writeStaleMarker(series - part.base, this.#timestampMs);
      if (part.encoder.requestBytes > this.#requestBytesMax) this.#finish(part);
      staleCount++;
    }
    for (const part of this.#parts) if (part.encoder.sampleCount > 0) this.#finish(part);
    const requests = this.#requests;
    this.#requests = [];
    this.#live = this.#liveNext;
    this.#liveNext = [];
    return { requests, staleCount, isRenumbered: this.#forgetVanished() };
  }

  #finish({ encoder }: Part): void {
    const sampleCount = encoder.sampleCount;
    this.#requests.push({ bytes: encoder.finish(), sampleCount });
  }

  #partOf(series: number): Part {
    return this.#parts[this.#partIndex[series]!]!;
  }

  #partWithRoom(): Part {
    const last = this.#parts.at(-1);
    if (last && last.encoder.fullRequestBytes - last.helpBytes < this.#requestBytesMax * seriesBytesShare) {
      return last;
    }
    const part = { encoder: new RequestEncoder(), base: this.#partIndex.length, helpBytes: 0 };
    this.#parts.push(part);
    return part;
  }

  #forgetVanished(): boolean {
    // A series of the run before counts as known still: a target that fails once comes back with all of them.
    const runMin = this.#run - 1;
    let keptCount = 0;
    for (const run of this.#seenRun) if (run >= runMin) keptCount++;
    if (this.#seenRun.length <= keptCount * 3 + forgottenSeriesMin) return false;
    const kept = [...this.#seenRun.keys()].filter((series) => this.#seenRun[series]! >= runMin);
    const next = new SeriesTracker(this.#requestBytesMax);
    const renumbered = new Map(kept.map((series) => [series, next.seriesOf(this.labels(series))]));
    for (const [series, number] of renumbered) {
      next.#seenRun[number] = this.#seenRun[series]!;
      next.#seenTimestampMs[number] = this.#seenTimestampMs[series]!;
    }
    this.#live = this.#live.map((series) => renumbered.get(series)!);
    this.#parts = next.#parts;
    this.#partIndex = next.#partIndex;
    this.#metadata = next.#metadata;
    this.#seenRun = next.#seenRun;
    this.#seenTimestampMs = next.#seenTimestampMs;
    return true;
  }
}
