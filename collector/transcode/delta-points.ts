/**
 * Makes delta points cumulative: PointReader's value, count and sum become the totals of their series, and its start time
 * becomes that of the totals.
 *
 * A sum is one series, and so is an exponential histogram. A histogram with explicit buckets is one per bucket besides its sum and count, and all of them go on together or start
 * anew together: one that was not written with the count's last point has missed something, because the bounds changed
 * or the sum was left out. Bounds that are left out for good do no harm: the buckets that stay are exact.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { DeltaAccumulator, DeltaRefusal } from './delta-accumulator.ts';
import type { MetricNames } from './metric-names.ts';
import { type NativeHistogram, nativeBucketsMax } from './native-histogram.ts';
import type { PointReader } from './point-reader.ts';
import { type PointSeries, type SeriesRole, seriesRole } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';

/** Prometheus's bound for scrapes. A point of next year would make every point until then look late. */
export const deltaAheadMsMax = 600_000;

export class DeltaPoints {
  readonly #accumulator: DeltaAccumulator;
  readonly #window: RecordWindow;
  readonly #point: PointReader;
  readonly #series: PointSeries;
  /** Entries of the histogram's series: count, sum where it has one, buckets. */
  #entries = new Int32Array(16);

  constructor(accumulator: DeltaAccumulator, window: RecordWindow, point: PointReader, series: PointSeries) {
    this.#accumulator = accumulator;
    this.#window = window;
    this.#point = point;
    this.#series = series;
  }

  /** Adds the number that was read to its series. Returns false where no sample follows. */
  addNumber(names: MetricNames, isMonotonic: boolean, tally: RequestTally): boolean {
    const point = this.#point;
    const { value, isStale, startMs, unixMs } = point;
    if (!this.#isTimed(tally) || !(isStale || isAddable(value, isMonotonic, tally))) return false;
    if (!this.#identify(names.base, seriesRole.value, 0, 0, tally)) return false;
    if (this.#accumulator.isCollecting || !this.#isInOrder(tally)) return false;
    const entry = this.#entries[0];
    const isRestart = this.#accumulator.lastMsOf(entry, startMs, unixMs) < 0;
    const total = this.#accumulator.add(entry, startMs, unixMs, isStale ? 0 : value, isRestart);
    if (!isStale) point.setValue(total);
    point.startMs = this.#accumulator.startOf(entry);
    return true;
  }

  /**
   * Adds the histogram that was read. The first `bucketCount` of `counts` are the counts up to each bound, the last one
   * all of them; they become totals. Returns false where no sample follows.
   */
  addHistogram(names: MetricNames, counts: Float64Array, bucketCount: number, tally: RequestTally): boolean {
    const point = this.#point;
    const { value, hasValue, isStale, startMs, unixMs } = point;
    if (!this.#isTimed(tally)) return false;
    if (!isStale && hasValue && !isAddable(value, false, tally)) return false;
    const entryCount = this.#identifyHistogram(names, bucketCount, tally);
    if (entryCount === 0 || this.#accumulator.isCollecting || !this.#isInOrder(tally)) return false;
    const accumulator = this.#accumulator;
    const entries = this.#entries;
    const lastMs = accumulator.lastMsOf(entries[0], startMs, unixMs);
    let isRestart = lastMs < 0;
    for (let i = 1; i < entryCount; i++) {
      isRestart ||= accumulator.lastMsOf(entries[i], startMs, unixMs) !== lastMs;
    }
    const add = (at: number, delta: number): number =>
      accumulator.add(entries[at], startMs, unixMs, isStale ? 0 : delta, isRestart);
    point.count = add(0, point.count);
    if (hasValue) point.setValue(add(1, value));
    const first = hasValue ? 2 : 1;
    for (let i = 0; i < bucketCount; i++) {
      counts[i] = add(first + i, counts[i]);
    }
    // The others began with it, whenever that was: all go on together or start anew together.
    point.startMs = accumulator.startOf(entries[0]);
    return true;
  }

  /**
   * Adds a native histogram to its series; it becomes the total. PointReader must hold the point's times. A sum that is
   * missing counts as 0, as everywhere. Returns false where no histogram follows.
   */
  addNative(names: MetricNames, histogram: NativeHistogram, tally: RequestTally): boolean {
    const { startMs, unixMs } = this.#point;
    if (!this.#isTimed(tally)) return false;
    if (!histogram.isStale && !isAddable(histogram.sum, false, tally)) return false;
    if (!this.#identify(names.base, seriesRole.native, 0, 0, tally)) return false;
    const accumulator = this.#accumulator;
    const entry = this.#entries[0];
    if (accumulator.isCollecting) return false;
    if (accumulator.isWithheld(entry)) {
      tally.reject(
        'delta_total_too_large',
        'the totals of the delta histograms of a request take too much memory: send smaller batches',
      );
      return false;
    }
    if (!this.#isInOrder(tally)) return false;
    const isRestart = accumulator.lastMsOf(entry, startMs, unixMs) < 0;
    if (accumulator.addHistogram(entry, histogram, isRestart)) return true;
    tally.reject(
      'too_many_buckets',
      `the total of a delta histogram has more than ${nativeBucketsMax} buckets in the lowest resolution`,
    );
    return false;
  }

  /** Finds the entries of the histogram's series; returns how many, 0 where one is refused. */
  #identifyHistogram(names: MetricNames, bucketCount: number, tally: RequestTally): number {
    const point = this.#point;
    if (bucketCount + 2 > this.#entries.length) this.#entries = new Int32Array(2 * bucketCount + 4);
    let n = 0;
    if (!this.#identify(names.count, seriesRole.count, 0, n++, tally)) return 0;
    if (point.hasValue && !this.#identify(names.sum, seriesRole.sum, 0, n++, tally)) return 0;
    let previous = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < bucketCount; i++) {
      const bound = i === bucketCount - 1 ? Number.POSITIVE_INFINITY : point.boundAt(i);
      if (!(bound > previous)) {
        tally.reject(
          'invalid_histogram',
          'the bounds of a histogram do not rise: its buckets cannot be told apart',
        );
        return 0;
      }
      previous = bound;
      if (!this.#identify(names.bucket, seriesRole.bucket, bound, n++, tally)) return 0;
    }
    return n;
  }

  /** Finds one series of the point: its entry, or while collecting, that it is needed. */
  #identify(name: ByteView, role: SeriesRole, bound: number, at: number, tally: RequestTally): boolean {
    const series = this.#series;
    if (!series.identify(name, role, bound)) {
      tally.reject(series.refusal!.reason, series.refusal!.message);
      return false;
    }
    const accumulator = this.#accumulator;
    const { startMs, unixMs } = this.#point;
    const isHistogram = role === seriesRole.native;
    const idLow = isHistogram ? ~series.idLow : series.idLow;
    const idHigh = isHistogram ? ~series.idHigh : series.idHigh;
    if (accumulator.isCollecting) {
      accumulator.need(idLow, idHigh, name, startMs, unixMs, isHistogram);
      return true;
    }
    const entry = accumulator.entryOf(idLow, idHigh, isHistogram);
    this.#entries[at] = entry;
    if (entry !== -1) return true;
    // It was one too many when totals were asked for, and a new window has begun since, or a new thread.
    tally.reject('delta_without_total', 'a delta point is of a series that was refused until now');
    return false;
  }

  #isTimed(tally: RequestTally): boolean {
    const { hasTime, unixMs } = this.#point;
    if (!hasTime) {
      tally.reject('missing_time', 'a delta point has no time: a repeat of it would count twice');
      return false;
    }
    if (unixMs > this.#window.nowUnixMs + deltaAheadMsMax) {
      tally.reject(
        'delta_too_far_ahead',
        `a delta point is of ${new Date(unixMs).toISOString()}, more than ten minutes ahead of the clock here`,
      );
      return false;
    }
    return true;
  }

  /** Judges the point by its first series. */
  #isInOrder(tally: RequestTally): boolean {
    const { startMs, unixMs } = this.#point;
    const refusal = this.#accumulator.refusalOf(this.#entries[0], startMs, unixMs);
    if (refusal === undefined) return true;
    const reason = refusal === 'delta_overlap' ? 'delta_out_of_order' : refusal;
    tally.reject(reason, refusalText[refusal]);
    return false;
  }
}

const refusalText: Readonly<Record<NonNullable<DeltaRefusal>, string>> = {
  delta_repeated: 'a delta point was stored before',
  delta_out_of_order: 'a delta point is not newer than the last one of its series',
  delta_overlap: "a delta point's interval begins before the end of the last one: two writers of one series?",
};

/** A total that is NaN or infinite once would stay so, and one that falls would look like a restart. */
function isAddable(value: number, isMonotonic: boolean, tally: RequestTally): boolean {
  if (!Number.isFinite(value)) {
    tally.reject('delta_not_finite', `a delta of ${value} cannot be added to a total`);
    return false;
  }
  if (isMonotonic && value < 0) {
    tally.reject('delta_negative', `a monotonic sum has a delta of ${value}`);
    return false;
  }
  return true;
}
