/**
 * Native histograms of some series: rows of `histograms_head` as the query side works with them, grouped by series. They
 * stay in that one table; no compaction moves them.
 */
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import type { ArrayColumn, Column, NumberArray } from '#store/native/column.ts';
import type { QueryParams } from '#store/store.ts';
import type { Buckets, FloatHistogram, ResetHint } from '../promql/histogram/float-histogram.ts';
import { customSchema } from '../promql/histogram/float-histogram.ts';
import { storedHints } from '../promql/histogram/reset-hints.ts';
import { halves, isStale } from '../promql/sample-window.ts';
import type { HistogramSamples } from '../promql/source.ts';
import type { MetricRead } from './metric-read.ts';

/** The histograms of one series in order of time, each time once. */
export interface HistogramRun {
  readonly idHigh: number;
  readonly idLow: number;
  readonly samples: HistogramSamples;
  /** Times of stale markers, which are no histograms. */
  readonly staleMs: Float64Array;
}

const columns = `id, ts, start_ts, schema, reset_hint, count, sum, zero_threshold, zero_count,
  positive_offsets, positive_lengths, positive_counts, negative_offsets, negative_lengths, negative_counts, custom_values`;
const within = `ts > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')`;
/** What a histogram takes beside its buckets, in numbers. */
const numbersBeside = 16;

/** Whether there is any; cheaper than to count what they hold. */
export async function hasHistograms(
  read: MetricRead,
  where: string,
  params: QueryParams,
  abort: AbortSignal | undefined,
): Promise<boolean> {
  const sql = `SELECT 1 FROM histograms_head WHERE ${where} AND ${within} LIMIT 1`;
  return (await read.rows(sql, params, abort, { max_threads: 1 })).length > 0;
}

/** How many numbers the histograms hold that readHistograms would return; 0 where there is none. */
export async function countHistogramNumbers(
  read: MetricRead,
  where: string,
  params: QueryParams,
  abort: AbortSignal | undefined,
): Promise<number> {
  const [row] = await read.rows<{ numbers: string }>(
    `SELECT sum(${numbersBeside} + 2 * length(positive_counts) + 2 * length(negative_counts)) AS numbers
     FROM histograms_head WHERE ${where} AND ${within}`,
    params,
    abort,
  );
  return Number(row?.numbers ?? 0);
}

/** Returns the runs in order of id. `params` are those of `where`, and `after` and `until` in milliseconds. */
export async function readHistograms(
  read: MetricRead,
  where: string,
  params: QueryParams,
  abort: AbortSignal | undefined,
): Promise<HistogramRun[]> {
  // Of several at one time, the one that counts most is the last.
  const sql = `SELECT ${columns} FROM histograms_head WHERE ${where} AND ${within} ORDER BY id, ts, count`;
  const collector = new RunCollector();
  for await (const bytes of read.stream(sql, params, abort)) addBlocks(bytes, collector);
  return collector.finish();
}

interface HistogramRow {
  readonly idHigh: number;
  readonly idLow: number;
  readonly timeMs: number;
  readonly startMs: number;
  /** Undefined for a stale marker. */
  readonly histogram: FloatHistogram | undefined;
}

class RunCollector {
  readonly #runs: HistogramRun[] = [];
  #rows: HistogramRow[] = [];

  add(row: HistogramRow): void {
    const last = this.#rows.at(-1);
    if (last !== undefined && (last.idLow !== row.idLow || last.idHigh !== row.idHigh)) this.#close();
    else if (last?.timeMs === row.timeMs) this.#rows.pop();
    this.#rows.push(row);
  }

  finish(): HistogramRun[] {
    this.#close();
    return this.#runs;
  }

  #close(): void {
    const rows = this.#rows;
    if (rows.length === 0) return;
    this.#rows = [];
    const { idHigh, idLow } = rows[0];
    const kept = rows.filter(({ histogram }) => histogram !== undefined);
    this.#runs.push({
      idHigh,
      idLow,
      samples: {
        timestamps: Float64Array.from(kept, ({ timeMs }) => timeMs),
        startTimes: Float64Array.from(kept, ({ startMs }) => startMs),
        values: storedHints(kept.map(({ histogram }) => histogram!)),
      },
      staleMs: Float64Array.from(
        rows.filter(({ histogram }) => histogram === undefined),
        ({ timeMs }) => timeMs,
      ),
    });
  }
}

function addBlocks(bytes: Uint8Array, collector: RunCollector): void {
  for (const block of readBlocks(bytes)) {
    const column = (name: string) => columnNamed(block, name);
    const ids = wordsOf(column('id'));
    const times = wordsOf(column('ts'));
    const starts = wordsOf(column('start_ts'));
    const schemas = numbersOf(column('schema'));
    const hints = numbersOf(column('reset_hint'));
    const counts = doublesOf(column('count'));
    const sums = doublesOf(column('sum'));
    const sumWords = halves(sums);
    const thresholds = doublesOf(column('zero_threshold'));
    const zeroCounts = doublesOf(column('zero_count'));
    const positive = new SideReader(
      column('positive_offsets'),
      column('positive_lengths'),
      column('positive_counts'),
    );
    const negative = new SideReader(
      column('negative_offsets'),
      column('negative_lengths'),
      column('negative_counts'),
    );
    const bounds = arrayOf(column('custom_values'));
    const allBounds = doublesOf(bounds.items);
    for (let row = 0; row < counts.length; row++) {
      const schema = schemas[row];
      const histogram: FloatHistogram = {
        schema,
        resetHint: resetHints[hints[row]] ?? 'unknown',
        count: counts[row],
        sum: sums[row],
        zeroThreshold: thresholds[row],
        zeroCount: zeroCounts[row],
        positive: positive.read(row),
        negative: negative.read(row),
        customBounds: schema === customSchema ? allBounds.slice(...rangeOf(bounds, row)) : undefined,
      };
      collector.add({
        idHigh: ids[2 * row + 1],
        idLow: ids[2 * row],
        timeMs: millisecondsOf(times, row),
        startMs: millisecondsOf(starts, row),
        histogram: isStale(sumWords, row) ? undefined : histogram,
      });
    }
  }
}

/** As remote write numbers them. */
const resetHints: readonly ResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];

/** Makes sparse buckets of spans: each says how far it is from the last one's end, and how many buckets it has. */
class SideReader {
  readonly #offsets: ArrayColumn;
  readonly #lengths: ArrayColumn;
  readonly #counts: ArrayColumn;
  readonly #allOffsets: NumberArray;
  readonly #allLengths: NumberArray;
  readonly #allCounts: Float64Array;

  constructor(offsets: Column, lengths: Column, counts: Column) {
    this.#offsets = arrayOf(offsets);
    this.#lengths = arrayOf(lengths);
    this.#counts = arrayOf(counts);
    this.#allOffsets = numbersOf(this.#offsets.items);
    this.#allLengths = numbersOf(this.#lengths.items);
    this.#allCounts = doublesOf(this.#counts.items);
  }

  read(row: number): Buckets {
    const [spanStart, spanEnd] = rangeOf(this.#offsets, row);
    const [countStart, countEnd] = rangeOf(this.#counts, row);
    const indexes = new Int32Array(countEnd - countStart);
    let at = 0;
    let index = 0;
    for (let span = spanStart; span < spanEnd; span++) {
      index += this.#allOffsets[span];
      const end = Math.min(indexes.length, at + this.#allLengths[span]);
      while (at < end) indexes[at++] = index++;
    }
    // A copy: the columns share memory with the bytes that they came from.
    return { indexes, counts: this.#allCounts.slice(countStart, countEnd) };
  }
}

function rangeOf({ ends }: ArrayColumn, row: number): [start: number, end: number] {
  return [row === 0 ? 0 : ends[row - 1], ends[row]];
}

function arrayOf(column: Column): ArrayColumn {
  if (column.kind === 'array') return column;
  throw new Error(`BUG: an array column was asked for and ${column.kind} came`);
}

function numbersOf(column: Column): NumberArray {
  if (column.kind === 'number') return column.values;
  throw new Error(`BUG: a column of small numbers was asked for and ${column.kind} came`);
}

function doublesOf(column: Column): Float64Array {
  if (column.kind === 'float64') return column.values;
  throw new Error(`BUG: a Float64 column was asked for and ${column.kind} came`);
}

function wordsOf(column: Column): Uint32Array {
  if (column.kind === 'integer64') return column.words;
  throw new Error(`BUG: a 64-bit column was asked for and ${column.kind} came`);
}

const twoTo32 = 4_294_967_296;

function millisecondsOf(words: Uint32Array, row: number): number {
  return words[2 * row] + (words[2 * row + 1] | 0) * twoTo32;
}
