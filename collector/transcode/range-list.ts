/**
 * Positions of repeated fields that were met while a message was scanned and are read once the whole message is
 * known: what is refused leaves nothing in the columns.
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
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
  /** Whether all ranges came by one keepRun: between them are only their tags and lengths of one byte. */
  isRun = false;

  push(start: number, end: number): void {
    this.isRun = false;
    this.#add(start, end);
  }

  #add(start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }

  /** Keeps the field whose tag, of one byte, `reader` just read, and those with the same tag that follow at once. */
  keepRun(reader: ProtobufReader, tag: number): void {
    const { limit } = reader;
    const { view } = reader.source;
    const isFirst = this.count === 0;
    const first = reader.position - 1;
    let at = first;
    while (at + 2 <= limit) {
      const head = view.getUint16(at, true);
      const end = at + 2 + (head >> 8);
      if ((head & 0x80ff) !== tag || end > limit) break;
      this.#add(at + 2, end);
      at = end;
    }
    if (at === first) this.push(reader.passBytes(), reader.position);
    else {
      reader.position = at;
      this.isRun = isFirst;
    }
  }

  clear(): void {
    const wasHuge = this.count > retainedRangesMax;
    this.count = 0;
    this.isRun = false;
    if (wasHuge) {
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
