/**
 * Makes one native histogram with custom buckets of the series of a classic one (Prometheus 3,
 * convert_classic_histograms_to_nhcb). The bounds of its buckets are its custom values; that of +Inf is understood.
 *
 *   le="0.5" 1, le="1" 3, le="+Inf" 4, sum 2.5, count 4   ->   count 4, sum 2.5, custom values [0.5, 1], buckets [1, 2, 1]
 */
import { metrics } from '@opentelemetry/api';
import { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import { type HistogramSide, writeHistogramValue } from '#wire/remote-write/record-fields.ts';

const customBucketsSchema = -53;
const noSide: HistogramSide = { spanCount: 0, offsets: [], lengths: [], bucketCount: 0, counts: [] };
const encoded = new ByteWriter(512);

const invalidCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.histograms.invalid', {
  description: 'Classic histograms that could not be converted: their buckets contradict each other.',
});

export class CustomHistogram {
  #bounds: number[] = [];
  /** Cumulative. */
  #counts: number[] = [];
  #count = Number.NaN;
  #sum = 0;
  #isInvalid = false;

  /** Buckets, that of +Inf included where the page has it. */
  get bucketCount(): number {
    return this.#bounds.length;
  }

  clear(): void {
    this.#bounds = [];
    this.#counts = [];
    this.#count = Number.NaN;
    this.#sum = 0;
    this.#isInvalid = false;
  }

  /** Of two buckets with one bound the first stands. They may come in any order. */
  setBucket(bound: number, count: number): void {
    if (Number.isNaN(bound) || !(count >= 0)) {
      this.#isInvalid = true;
      return;
    }
    let at = this.#bounds.length;
    while (at > 0 && this.#bounds[at - 1]! > bound) at--;
    if (at > 0 && this.#bounds[at - 1] === bound) return;
    this.#bounds.splice(at, 0, bound);
    this.#counts.splice(at, 0, count);
  }

  setCount(count: number): void {
    if (!(count >= 0)) this.#isInvalid = true;
    this.#count = count;
  }

  setSum(sum: number): void {
    this.#sum = sum;
  }

  /** Returns the histogram as writeHistogramValue makes it; undefined, and counted, where its buckets contradict each other. */
  encode(): Uint8Array | undefined {
    const bounds = this.#bounds;
    const counts = this.#counts;
    if (Number.isNaN(this.#count)) this.#count = counts.at(-1) ?? 0;
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) {
      bounds.push(Number.POSITIVE_INFINITY);
      counts.push(this.#count);
    }
    const own = counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]!));
    if (this.#isInvalid || own.some((count) => count < 0) || counts.at(-1) !== this.#count) {
      invalidCounter.add(1);
      return undefined;
    }
    encoded.clear();
    writeHistogramValue(encoded, {
      isFloat: !own.every(Number.isSafeInteger) || !Number.isSafeInteger(this.#count),
      count: this.#count,
      sum: this.#sum,
      schema: customBucketsSchema,
      zeroThreshold: 0,
      zeroCount: 0,
      negative: noSide,
      positive: { spanCount: 1, offsets: [0], lengths: [own.length], bucketCount: own.length, counts: own },
      customValues: bounds.slice(0, -1),
      isGauge: false,
    });
    return Uint8Array.prototype.slice.call(encoded.written());
  }
}
