/**
 * Goes through the populated buckets of one side of a native histogram, and writes them to another, in the order of their
 * indexes.
 *
 *   spans (offset -1, length 2) (offset 3, length 1), counts 4 0 6  =  index -1: 4, then index 4: 6
 */
import { type BucketSide, emptyBucketsMax } from './native-histogram.ts';

export class BucketCursor {
  index = 0;
  count = 0;
  #side: BucketSide | undefined;
  #span = 0;
  #bucket = 0;
  /** Of the next bucket, and behind the last one of its span. */
  #next = 0;
  #end = 0;

  /** The side must not change until the last next(). */
  begin(side: BucketSide): void {
    this.#side = side;
    this.#span = 0;
    this.#bucket = 0;
    this.#next = 0;
    this.#end = 0;
  }

  /** Moves to the next populated bucket; returns false where there is none. */
  next(): boolean {
    const { spanCount, offsets, lengths, counts } = this.#side!;
    for (;;) {
      while (this.#next === this.#end) {
        if (this.#span === spanCount) return false;
        this.#next = this.#end + offsets[this.#span];
        this.#end = this.#next + lengths[this.#span++];
      }
      this.index = this.#next++;
      this.count = counts[this.#bucket++];
      if (this.count !== 0) return true;
    }
  }
}

export class BucketWriter {
  #side: BucketSide | undefined;
  #end = 0;

  /** Empties the side. */
  begin(side: BucketSide): void {
    side.clear();
    this.#side = side;
    this.#end = 0;
  }

  /** Appends a bucket, whose index must be above that of the last one. */
  push(index: number, count: number): void {
    const side = this.#side!;
    const gap = index - this.#end;
    if (side.spanCount > 0 && gap <= emptyBucketsMax) {
      for (let i = 0; i < gap; i++) side.addBucket(0);
      side.widenSpan(gap + 1);
    } else side.addSpan(gap, 1);
    side.addBucket(count);
    this.#end = index + 1;
  }
}
