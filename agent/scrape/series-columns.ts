/** What a tracker knows of each series, in typed arrays that grow together: 21 bytes a series. */
const seriesMin = 64;

export class SeriesColumns {
  count = 0;
  /** Which of the tracker's requests the series is in. */
  part = new Int32Array(seriesMin);
  metadata = new Int32Array(seriesMin);
  /** The last run that wrote it, or -1. */
  seenRun = new Int32Array(seriesMin);
  seenTimestampMs = new Float64Array(seriesMin);
  flags = new Uint8Array(seriesMin);

  /** Returns the number of a new series. */
  add(part: number, metadata: number): number {
    const series = this.count++;
    if (series === this.part.length) this.#grow();
    this.part[series] = part;
    this.metadata[series] = metadata;
    this.seenRun[series] = -1;
    return series;
  }

  /** Takes over what `from` knows about when its series was written. */
  copy(series: number, from: SeriesColumns, fromSeries: number): void {
    this.seenRun[series] = from.seenRun[fromSeries]!;
    this.seenTimestampMs[series] = from.seenTimestampMs[fromSeries]!;
    this.flags[series] = from.flags[fromSeries]!;
  }

  #grow(): void {
    const length = this.part.length * 2;
    this.part = grown(this.part, new Int32Array(length));
    this.metadata = grown(this.metadata, new Int32Array(length));
    this.seenRun = grown(this.seenRun, new Int32Array(length));
    this.seenTimestampMs = grown(this.seenTimestampMs, new Float64Array(length));
    this.flags = grown(this.flags, new Uint8Array(length));
  }
}

/** Copies `from` to the start of `into`, which it returns. */
export function grown<A extends Int32Array | Float64Array | Uint8Array>(from: A, into: A): A {
  into.set(from);
  return into;
}
