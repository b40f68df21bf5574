/**
 * Positions of repeated fields that were met while a message was scanned and are read once the whole message is
 * known: a record is judged first and written after, so that a refused one leaves nothing in the columns.
 */
import { ExpansionError } from './byte-buffer.ts';

const initialRanges = 64;
/** Repeated fields of one message: empty ones take 2 bytes on the wire and 8 here. */
const rangesMax = 1 << 22;
/** One huge message must not keep its memory for ever. */
const retainedRangesMax = 1 << 16;

export class RangeList {
  starts = new Int32Array(initialRanges);
  ends = new Int32Array(initialRanges);
  count = 0;

  push(start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }

  clear(): void {
    this.count = 0;
    if (this.starts.length > retainedRangesMax) {
      this.starts = new Int32Array(initialRanges);
      this.ends = new Int32Array(initialRanges);
    }
  }

  #grow(): void {
    if (this.count >= rangesMax) {
      throw new ExpansionError(`a field is repeated more than ${rangesMax} times: send smaller batches`);
    }
    const starts = new Int32Array(this.count * 2);
    const ends = new Int32Array(this.count * 2);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }
}
