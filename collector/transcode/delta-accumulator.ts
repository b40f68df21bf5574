/**
 * Running totals of delta series while a task is transcoded: what OpenTelemetry's data model calls delta-to-cumulative.
 *
 *   total 7 at 10 s, then 3 of (10 s, 20 s]  ->  total 10 at 20 s
 *
 * A request with totals adds to them. For one without them, it is only collected whose totals it needs, and it comes
 * again with them. So the blocks of a request are a function of the request and of the totals it comes with, and nothing
 * of a request that fails stays here.
 */
import type { DeltaNeeds, DeltaTotals } from '#collector/delta-totals.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { ExpansionError } from './byte-buffer.ts';
import { HistogramArena, histogramEnd } from './histogram-cells.ts';
import { KeyTable } from './key-table.ts';
import { NativeHistogram } from './native-histogram.ts';
import { canAdd, HistogramAdder } from './native-histogram-sum.ts';

/** As many as a request may hold samples. */
const seriesPerTaskMax = 1 << 22;

/** Numbers of an addition that can be taken back. */
const undoSize = 5;

const utf8 = new TextDecoder();

/** Why a point adds nothing, or undefined where it does. */
export type DeltaRefusal = 'delta_repeated' | 'delta_out_of_order' | 'delta_overlap' | undefined;

export class DeltaAccumulator {
  readonly #staleMs: number;
  readonly #keys = new KeyTable(seriesPerTaskMax);
  #ids = new Int32Array(0);
  /** Of a histogram: where its total is in the arena, from 1 on; 0 where it has none. */
  #totals = new Float64Array(0);
  #lastMs = new Float64Array(0);
  #newestMs = new Float64Array(0);
  /** While collecting: start of the first point. Else since when the total counts. 0 where nobody says. */
  #startMs = new Float64Array(0);
  /** 1 where this task has added to the series. */
  #isTouched = new Uint8Array(0);
  #isHistogram = new Uint8Array(0);
  #metricIndexes = new Int32Array(0);
  /** Names of the collected series, by the views that MetricNameCache keeps of them. */
  readonly #metrics = new Map<ByteView, number>();
  #oldestMs = Number.POSITIVE_INFINITY;
  #isCollecting = true;
  #tenant = '';
  /** What additions since the mark overwrote: entry, total, time, start, whether it was touched. */
  #undo: number[] = [];
  readonly #arena = new HistogramArena();
  readonly #adder = new HistogramAdder();
  readonly #total = new NativeHistogram();

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  get isCollecting(): boolean {
    return this.#isCollecting;
  }

  get count(): number {
    return this.#keys.count;
  }

  beginTask(): void {
    this.#clear();
  }

  /**
   * What the request adds can be taken back by rollback(). Requests of one tenant that come after one another in a task
   * go on from where the one before has left a series: of two totals, the later one counts.
   */
  beginRequest(tenant: string, totals: DeltaTotals | undefined): void {
    this.#undo = [];
    if (this.#isCollecting || totals === undefined || tenant !== this.#tenant) this.#clear();
    this.#isCollecting = totals === undefined;
    this.#tenant = tenant;
    if (totals === undefined) return;
    const arenaStart = this.#arena.length;
    this.#arena.appendCells(totals.histograms);
    for (let i = 0; i < totals.totals.length; i++) {
      const low: number = totals.ids[2 * i];
      const high: number = totals.ids[2 * i + 1];
      const known = this.#keys.find(low, high);
      const entry = known === -1 ? this.#add(low, high, totals.isHistogram[i]) : known;
      if (this.#isHistogram[entry] !== totals.isHistogram[i]) continue;
      if (totals.lastMs[i] > this.#lastMs[entry]) {
        const isInArena = totals.isHistogram[i] === 1 && totals.totals[i] > 0;
        this.#totals[entry] = totals.totals[i] + (isInArena ? arenaStart : 0);
        this.#lastMs[entry] = totals.lastMs[i];
        this.#startMs[entry] = totals.startMs[i];
      }
      this.#newestMs[entry] = Math.max(this.#newestMs[entry], totals.newestMs[i]);
    }
  }

  rollback(): void {
    const undo = this.#undo;
    for (let i = undo.length - undoSize; i >= 0; i -= undoSize) {
      const entry = undo[i];
      this.#totals[entry] = undo[i + 1];
      this.#lastMs[entry] = undo[i + 2];
      this.#startMs[entry] = undo[i + 3];
      this.#isTouched[entry] = undo[i + 4];
    }
    this.#undo = [];
  }

  /** While collecting: notes that a series' total is needed. The id of a histogram is inverted: see DeltaNeeds. */
  need(
    low: number,
    high: number,
    metric: ByteView,
    startMs: number,
    unixMs: number,
    isHistogram: boolean,
  ): void {
    let entry = this.#keys.find(low, high);
    if (entry === -1) {
      if (!this.#metrics.has(metric)) this.#metrics.set(metric, this.#metrics.size);
      entry = this.#add(low, high, isHistogram ? 1 : 0);
      this.#startMs[entry] = startMs;
      this.#metricIndexes[entry] = this.#metrics.get(metric)!;
    }
    this.#newestMs[entry] = Math.max(this.#newestMs[entry], unixMs);
    this.#oldestMs = Math.min(this.#oldestMs, this.#silentUntil(startMs, unixMs));
  }

  /**
   * Returns the entry of a series, or -1 where the request came without its total. Labels can be made for which the
   * inverted id of a histogram is that of a number: it never gets the number's total, which would be a place to read at.
   */
  entryOf(low: number, high: number, isHistogram: boolean): number {
    const entry = this.#keys.find(low, high);
    return entry === -1 || (this.#isHistogram[entry] === 1) !== isHistogram ? -1 : entry;
  }

  /** Judges a point of (startMs, unixMs]; startMs is 0 where the sender does not say. */
  refusalOf(entry: number, startMs: number, unixMs: number): DeltaRefusal {
    const lastMs = this.#lastMs[entry];
    if (lastMs < 0 || unixMs > lastMs) {
      return startMs !== 0 && startMs < lastMs ? 'delta_overlap' : undefined;
    }
    // A sender that comes again repeats points of earlier tasks; twice in one task are two writers of one series.
    const isRepeat = unixMs === lastMs || this.#newestMs[entry] === lastMs;
    return isRepeat && this.#isTouched[entry] === 0 ? 'delta_repeated' : 'delta_out_of_order';
  }

  /** Time of the last point of a series that goes on with (startMs, unixMs]; -1 where it starts anew. */
  lastMsOf(entry: number, startMs: number, unixMs: number): number {
    const lastMs = this.#lastMs[entry];
    return this.#silentUntil(startMs, unixMs) - lastMs > this.#staleMs ? -1 : lastMs;
  }

  /** A point says that its series was alive since its start; believed for as long as a series may be silent. */
  #silentUntil(startMs: number, unixMs: number): number {
    if (startMs === 0) return unixMs;
    return Math.min(unixMs, Math.max(startMs, unixMs - this.#staleMs));
  }

  /**
   * Adds a point of (startMs, unixMs] and returns the new total. `isRestart` begins at 0: the total counts since the start
   * of the point that it began with, as OpenTelemetry's data model has it.
   */
  add(entry: number, startMs: number, unixMs: number, delta: number, isRestart: boolean): number {
    const total = isRestart ? delta : this.#totals[entry] + delta;
    this.#put(entry, total, startMs, unixMs, isRestart);
    return total;
  }

  /**
   * Adds the histogram of a point and makes it the total of its series, with the start of that. Other custom bounds begin
   * at 0 as well. Returns false, and adds nothing, where there are too many buckets.
   */
  addHistogram(entry: number, point: NativeHistogram, isRestart: boolean): boolean {
    const { startMs, unixMs, isStale } = point;
    const totalAt = isRestart ? 0 : this.#totals[entry];
    if (isStale) {
      this.#put(entry, totalAt, startMs, unixMs, isRestart);
      return true;
    }
    let goesOn = totalAt > 0;
    if (goesOn) {
      this.#arena.read(totalAt - 1, this.#total);
      goesOn = canAdd(point, this.#total);
      if (goesOn && !this.#adder.add(point, this.#total)) return false;
    }
    const at = this.#arena.length;
    this.#arena.append(point);
    this.#put(entry, at + 1, startMs, unixMs, !goesOn);
    point.startMs = this.#startMs[entry];
    return true;
  }

  #put(entry: number, total: number, startMs: number, unixMs: number, isRestart: boolean): void {
    this.#undo.push(
      entry,
      this.#totals[entry],
      this.#lastMs[entry],
      this.#startMs[entry],
      this.#isTouched[entry],
    );
    this.#totals[entry] = total;
    this.#lastMs[entry] = unixMs;
    if (isRestart) this.#startMs[entry] = startMs;
    this.#isTouched[entry] = 1;
  }

  /** Whether the total of a series is too large to come with the others. */
  isWithheld(entry: number): boolean {
    return this.#lastMs[entry] === Number.POSITIVE_INFINITY;
  }

  /** Since when a series' total counts; 0 where its sender did not say. */
  startOf(entry: number): number {
    return this.#startMs[entry];
  }

  /** What was collected since the mark. */
  needs(): DeltaNeeds {
    const { count } = this.#keys;
    return {
      ids: this.#ids.slice(0, 2 * count),
      isHistogram: this.#isHistogram.slice(0, count),
      metricIndexes: this.#metricIndexes.slice(0, count),
      startMs: this.#startMs.slice(0, count),
      newestMs: this.#newestMs.slice(0, count),
      oldestMs: this.#oldestMs,
      metrics: Array.from(this.#metrics.keys(), ({ bytes }) => utf8.decode(bytes)),
    };
  }

  /** The totals that a request came with, as it left them. */
  totalsOf(given: DeltaTotals): DeltaTotals {
    const { ids, isHistogram, newestMs } = given;
    const histograms = new HistogramArena();
    const totals = new Float64Array(newestMs.length);
    const lastMs = new Float64Array(newestMs.length);
    const startMs = new Float64Array(newestMs.length);
    for (let i = 0; i < newestMs.length; i++) {
      const entry = this.entryOf(ids[2 * i], ids[2 * i + 1], isHistogram[i] === 1);
      lastMs[i] = -1;
      if (entry === -1) continue;
      totals[i] = this.#totals[entry];
      if (isHistogram[i] === 1 && totals[i] > 0) totals[i] = this.#copyTotal(totals[i] - 1, histograms);
      lastMs[i] = this.#lastMs[entry];
      startMs[i] = this.#startMs[entry];
    }
    return { ids, isHistogram, newestMs, totals, lastMs, startMs, histograms: histograms.content() };
  }

  /** Returns where the total is then, from 1 on. */
  #copyTotal(start: number, to: HistogramArena): number {
    const { cells } = this.#arena;
    const at = to.length;
    to.appendCells(cells.subarray(start, histogramEnd(cells, start)));
    return at + 1;
  }

  #add(low: number, high: number, isHistogram: number): number {
    if (this.#keys.isFull) {
      throw new ExpansionError(
        `the request holds more than ${seriesPerTaskMax} delta series: send smaller batches`,
      );
    }
    const entry = this.#keys.add(low, high);
    const { capacity } = this.#keys;
    if (capacity > this.#totals.length) {
      this.#ids = resized(this.#ids, new Int32Array(2 * capacity));
      this.#metricIndexes = resized(this.#metricIndexes, new Int32Array(capacity));
      this.#totals = resized(this.#totals, new Float64Array(capacity));
      this.#lastMs = resized(this.#lastMs, new Float64Array(capacity));
      this.#newestMs = resized(this.#newestMs, new Float64Array(capacity));
      this.#startMs = resized(this.#startMs, new Float64Array(capacity));
      this.#isTouched = resized(this.#isTouched, new Uint8Array(capacity));
      this.#isHistogram = resized(this.#isHistogram, new Uint8Array(capacity));
    }
    this.#isHistogram[entry] = isHistogram;
    this.#ids[2 * entry] = low;
    this.#ids[2 * entry + 1] = high;
    this.#totals[entry] = 0;
    this.#lastMs[entry] = -1;
    this.#startMs[entry] = 0;
    this.#newestMs[entry] = -1;
    this.#isTouched[entry] = 0;
    return entry;
  }

  #clear(): void {
    if (this.#keys.count === 0) return;
    this.#keys.clear();
    this.#arena.clear();
    this.#metrics.clear();
    this.#oldestMs = Number.POSITIVE_INFINITY;
  }
}

function resized<Items extends Int32Array | Float64Array | Uint8Array>(from: Items, to: Items): Items {
  to.set(from);
  return to;
}
