/** What a tracker knows of each series, in typed arrays that grow together, and the table that finds one by its hash. */
const seriesMin = 64;

export class SeriesColumns {
  count = 0;
  /** Which of the tracker's requests the series is in. */
  part = new Int32Array(seriesMin);
  /** LabelTexts.hash of its labels. */
  hashes = new Int32Array(seriesMin);
  /** The last run that wrote it, or -1. */
  seenRun = new Int32Array(seriesMin);
  seenTimestampMs = new Float64Array(seriesMin);
  flags = new Uint8Array(seriesMin);
  /** Open addressing: series + 1, or 0 where free. Never more than half full. */
  #slots = new Int32Array(seriesMin * 2);

  /** Returns the number of a new series. */
  add(part: number, hash: number): number {
    const series = this.count++;
    if (series === this.part.length) this.#grow();
    this.part[series] = part;
    this.hashes[series] = hash;
    this.seenRun[series] = -1;
    place(this.#slots, hash, series);
    return series;
  }

  /** Where the search for a hash starts; it goes on by nextSlot until at() is -1. */
  firstSlot(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  nextSlot(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** Returns the series in a slot, or -1. */
  at(slot: number): number {
    return this.#slots[slot]! - 1;
  }

  /** Takes over what `from` knows about when its series was written. */
  copy(series: number, from: SeriesColumns, fromSeries: number): void {
    this.seenRun[series] = from.seenRun[fromSeries]!;
    this.seenTimestampMs[series] = from.seenTimestampMs[fromSeries]!;
    this.flags[series] = from.flags[fromSeries]!;
  }

  #grow(): void {
    const { length } = this.part;
    this.part = grown(this.part, new Int32Array(length * 2));
    this.hashes = grown(this.hashes, new Int32Array(length * 2));
    this.seenRun = grown(this.seenRun, new Int32Array(length * 2));
    this.seenTimestampMs = grown(this.seenTimestampMs, new Float64Array(length * 2));
    this.flags = grown(this.flags, new Uint8Array(length * 2));
    this.#slots = new Int32Array(length * 4);
    for (let series = 0; series < length; series++) place(this.#slots, this.hashes[series]!, series);
  }
}

function place(slots: Int32Array, hash: number, series: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = series + 1;
}

/** Copies `from` to the start of `into`, which it returns. */
export function grown<A extends Int32Array | Float64Array | Uint8Array>(from: A, into: A): A {
  into.set(from);
  return into;
}
