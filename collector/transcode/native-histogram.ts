/**
 * One native histogram, in memory that is used again for the next: what readers fill, rules judge and columns copy.
 * Buckets are Prometheus's: spans of consecutive buckets, and each bucket's own count.
 *
 *   spans (offset -1, length 2) (offset 3, length 1), counts 4 5 6  =  bucket -1: 4, bucket 0: 5, bucket 4: 6
 */

/** Buckets of one side, spans and custom bounds. OpenTelemetry's SDKs make 160; each takes 8 bytes in the store. */
export const nativeBucketsMax = 4096;

export const customBucketsSchema = -53;

/** A gap that is not longer stays in its span: a span of its own takes as much. The number is client_golang's. */
export const emptyBucketsMax = 2;

/** A series of histograms ended: its sum is this very NaN, no other. */
export const staleLow = 0x2;
export const staleHigh = 0x7ff0_0000;

export class BucketSide {
  /** These may count more than the arrays hold: the histogram is then refused. */
  spanCount = 0;
  bucketCount = 0;
  readonly offsets = new Int32Array(nativeBucketsMax);
  readonly lengths = new Uint32Array(nativeBucketsMax);
  readonly counts = new Float64Array(nativeBucketsMax);

  clear(): void {
    this.spanCount = 0;
    this.bucketCount = 0;
  }

  addSpan(offset: number, length: number): void {
    if (this.spanCount < nativeBucketsMax) {
      this.offsets[this.spanCount] = offset;
      this.lengths[this.spanCount] = length;
    }
    this.spanCount++;
  }

  /** Adds buckets to the last span. */
  widenSpan(length: number): void {
    if (this.spanCount <= nativeBucketsMax) this.lengths[this.spanCount - 1] += length;
  }

  /** `from` must not hold more than the arrays do. */
  copy(from: BucketSide): void {
    this.spanCount = from.spanCount;
    this.bucketCount = from.bucketCount;
    this.offsets.set(from.offsets.subarray(0, from.spanCount));
    this.lengths.set(from.lengths.subarray(0, from.spanCount));
    this.counts.set(from.counts.subarray(0, from.bucketCount));
  }

  addBucket(count: number): void {
    if (this.bucketCount < nativeBucketsMax) this.counts[this.bucketCount] = count;
    this.bucketCount++;
  }
}

const double = new DataView(new ArrayBuffer(8));

export class NativeHistogram {
  unixMs = 0;
  /** 0 where it is not known. */
  startMs = 0;
  schema = 0;
  /** Prometheus's numbers: 0 unknown, 1 reset, 2 no reset, 3 gauge. */
  resetHint = 0;
  /** Whether counts may be fractions: then they need not add up exactly. */
  isFloat = false;
  count = 0;
  /** The sum's 64 bits: a NaN's payload says whether the series ended. */
  sumLow = 0;
  sumHigh = 0;
  zeroThreshold = 0;
  zeroCount = 0;
  readonly positive = new BucketSide();
  readonly negative = new BucketSide();
  customCount = 0;
  readonly customValues = new Float64Array(nativeBucketsMax);

  get isStale(): boolean {
    return this.sumLow === staleLow && this.sumHigh === staleHigh;
  }

  /** The sum as a number. Setting it never makes the histogram stale. */
  get sum(): number {
    double.setInt32(0, this.sumLow, true);
    double.setInt32(4, this.sumHigh, true);
    return double.getFloat64(0, true);
  }

  set sum(value: number) {
    double.setFloat64(0, value, true);
    this.sumLow = double.getUint32(0, true);
    this.sumHigh = double.getUint32(4, true);
  }

  get isSumNaN(): boolean {
    const magnitude = this.sumHigh & 0x7fff_ffff;
    return magnitude > 0x7ff0_0000 || (magnitude === 0x7ff0_0000 && this.sumLow !== 0);
  }

  clear(): void {
    this.unixMs = 0;
    this.startMs = 0;
    this.schema = 0;
    this.resetHint = 0;
    this.isFloat = false;
    this.count = 0;
    this.sumLow = 0;
    this.sumHigh = 0;
    this.zeroThreshold = 0;
    this.zeroCount = 0;
    this.positive.clear();
    this.negative.clear();
    this.customCount = 0;
  }

  /** Makes it the marker that its series ended at `unixMs`: nothing but the time and the sum, as Prometheus keeps it. */
  setStale(unixMs: number): void {
    this.clear();
    this.unixMs = unixMs;
    this.sumLow = staleLow;
    this.sumHigh = staleHigh;
  }

  addCustomValue(bound: number): void {
    if (this.customCount < nativeBucketsMax) this.customValues[this.customCount] = bound;
    this.customCount++;
  }
}
