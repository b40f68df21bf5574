/**
 * A native histogram as numbers in a row: how totals of delta histograms travel between store, pipeline and worker, and
 * wait in memory. All of them are exact as doubles. store/last-histograms.ts writes the same.
 *
 *   histogram => schema count sum zero_threshold zero_count positive:side negative:side bound_count bound*
 *   side      => span_count bucket_count offset* length* count*
 */
import { ExpansionError } from './byte-buffer.ts';
import type { BucketSide, NativeHistogram } from './native-histogram.ts';

/** Of one request and those that it is transcoded with: as much as a column of its rows may take. */
const arenaCellsMax = 64 * 1024 * 1024;
const initialCells = 1024;
/** Memory that grew beyond this for one big request is given back. */
const retainedCellsMax = 4 * 1024 * 1024;

const fixedCells = 10;

/** Histograms one after another. What is there is never overwritten: earlier states can be returned to. */
export class HistogramArena {
  cells = new Float64Array(initialCells);
  length = 0;

  clear(): void {
    this.length = 0;
    if (this.cells.length > retainedCellsMax) this.cells = new Float64Array(initialCells);
  }

  /** What was appended. */
  content(): Float64Array {
    return this.cells.slice(0, this.length);
  }

  /** Appends histograms that are cells already. */
  appendCells(cells: Float64Array): void {
    this.#ensure(cells.length);
    this.cells.set(cells, this.length);
    this.length += cells.length;
  }

  append(histogram: NativeHistogram): void {
    const { positive, negative, customCount } = histogram;
    this.#ensure(fixedCells + sideCells(positive) + sideCells(negative) + customCount);
    const { cells } = this;
    let at = this.length;
    cells[at++] = histogram.schema;
    cells[at++] = histogram.count;
    cells[at++] = histogram.sum;
    cells[at++] = histogram.zeroThreshold;
    cells[at++] = histogram.zeroCount;
    at = writeSide(positive, cells, at);
    at = writeSide(negative, cells, at);
    cells[at++] = customCount;
    for (let i = 0; i < customCount; i++) cells[at++] = histogram.customValues[i];
    this.length = at;
  }

  /** Fills a histogram from the cells that begin at `start`, but for its times. */
  read(start: number, into: NativeHistogram): void {
    const { cells } = this;
    let at = start;
    into.clear();
    into.schema = cells[at++];
    into.count = cells[at++];
    into.sum = cells[at++];
    into.zeroThreshold = cells[at++];
    into.zeroCount = cells[at++];
    at = readSide(cells, at, into.positive);
    at = readSide(cells, at, into.negative);
    const customCount = cells[at++];
    for (let i = 0; i < customCount; i++) into.addCustomValue(cells[at++]);
  }

  #ensure(count: number): void {
    const needed = this.length + count;
    if (needed <= this.cells.length) return;
    if (needed > arenaCellsMax) {
      throw new ExpansionError(
        `totals of delta histograms take more than ${arenaCellsMax * 8} bytes: send smaller batches`,
      );
    }
    const cells = new Float64Array(Math.max(needed, Math.min(arenaCellsMax, this.cells.length * 2)));
    cells.set(this.cells.subarray(0, this.length));
    this.cells = cells;
  }
}

/** Where the histogram that begins at `start` ends. */
export function histogramEnd(cells: Float64Array, start: number): number {
  const positiveAt = start + 5;
  const negativeAt = sideEnd(cells, positiveAt);
  const boundsAt = sideEnd(cells, negativeAt);
  return boundsAt + 1 + cells[boundsAt];
}

function sideEnd(cells: Float64Array, start: number): number {
  return start + 2 + 2 * cells[start] + cells[start + 1];
}

function sideCells({ spanCount, bucketCount }: BucketSide): number {
  return 2 * spanCount + bucketCount;
}

function writeSide(side: BucketSide, cells: Float64Array, start: number): number {
  const { spanCount, bucketCount } = side;
  let at = start;
  cells[at++] = spanCount;
  cells[at++] = bucketCount;
  for (let i = 0; i < spanCount; i++) cells[at++] = side.offsets[i];
  for (let i = 0; i < spanCount; i++) cells[at++] = side.lengths[i];
  for (let i = 0; i < bucketCount; i++) cells[at++] = side.counts[i];
  return at;
}

function readSide(cells: Float64Array, start: number, side: BucketSide): number {
  const spanCount = cells[start];
  const bucketCount = cells[start + 1];
  const lengthsAt = start + 2 + spanCount;
  for (let i = 0; i < spanCount; i++) side.addSpan(cells[start + 2 + i], cells[lengthsAt + i]);
  const countsAt = lengthsAt + spanCount;
  for (let i = 0; i < bucketCount; i++) side.addBucket(cells[countsAt + i]);
  return countsAt + bucketCount;
}
