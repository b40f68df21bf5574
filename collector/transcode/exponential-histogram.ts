/**
 * OTLP exponential histograms -> native histograms, by the rules that Prometheus's own OTLP receiver follows.
 *
 *   ExponentialHistogramDataPoint => attributes:KeyValue* (1) start_time_unix_nano:fixed64 (2) time_unix_nano:fixed64 (3)
 *     count:fixed64 (4) sum:double? (5) scale:sint32 (6) zero_count:fixed64 (7) positive:Buckets (8)
 *     negative:Buckets (9) flags:uint32 (10) exemplars:Exemplar* (11) min (12) max (13) zero_threshold:double (14)
 *   Buckets => offset:sint32 (1) bucket_counts:uint64* (2)
 *
 * OTLP counts buckets by their lower bound, Prometheus by the upper one: index i becomes i + 1. A scale above 8 is
 * merged down to 8; one below -4 is refused. A missing sum is 0; min and max have no place.
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { BucketSide, NativeHistogram } from './native-histogram.ts';
import { leaveOutEmpty, reduceResolution } from './native-histogram-resolution.ts';
import { histogramRefusal, schemaMin } from './native-histogram-rules.ts';
import type { RangeList } from './range-list.ts';
import { nanosToMs, type RecordWindow, twoTo32 } from './record-window.ts';
import type { SeriesRefusal } from './series-rules.ts';

/** What stands for a zero threshold that is not given: Prometheus's default, below all that is measured. */
const zeroThresholdDefault = 1e-128;
/** Finer scales merge into the same buckets as this one. */
const scaleMax = 52;
/** OTLP DataPointFlags: the series ended, the value means nothing. */
const flagNoRecordedValue = 1;

export class ExponentialHistogramReader {
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  #scale = 0;
  /** Whether the point that was read has a time, and when its interval began: a stale histogram keeps no start. */
  hasTime = false;
  startMs = 0;

  constructor(reader: ProtobufReader, window: RecordWindow) {
    this.#reader = reader;
    this.#window = window;
  }

  /**
   * Reads the data point that is [start, end), with its times in milliseconds; a point without a time has that of its
   * arrival. Fills the lists with where attributes and exemplars are. Throws DecodeError; finish() must follow.
   */
  read(start: number, end: number, into: NativeHistogram, attributes: RangeList, exemplars: RangeList): void {
    const reader = this.#reader;
    let isStale = false;
    into.clear();
    into.zeroThreshold = zeroThresholdDefault;
    attributes.clear();
    exemplars.clear();
    this.#scale = 0;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#keep(attributes);
      else if (tag === 0x42) this.#readBuckets(into.positive);
      else if (tag === 0x4a) this.#readBuckets(into.negative);
      else if (tag === 0x50) isStale = reader.readVarint() % 2 === flagNoRecordedValue;
      else if (tag === 0x5a) this.#keep(exemplars);
      else this.#readNumber(tag, into);
    }
    this.hasTime = into.unixMs !== 0;
    this.startMs = into.startMs;
    if (!this.hasTime) into.unixMs = Math.floor(this.#window.nowUnixMs);
    if (isStale) into.setStale(into.unixMs);
  }

  /** Brings the histogram that was read to the form that is stored, or returns why it is refused. */
  finish(into: NativeHistogram): SeriesRefusal | undefined {
    if (into.isStale) return undefined;
    if (this.#scale < schemaMin) {
      return {
        reason: 'unsupported_scale',
        message: `an exponential histogram has scale ${this.#scale}: it must be at least ${schemaMin}`,
      };
    }
    into.schema = Math.min(this.#scale, scaleMax);
    const refusal = histogramRefusal(into);
    if (refusal !== undefined) return refusal;
    reduceResolution(into);
    leaveOutEmpty(into.positive);
    leaveOutEmpty(into.negative);
    return undefined;
  }

  #readNumber(tag: number, into: NativeHistogram): void {
    const reader = this.#reader;
    if ((tag & 7) === 1 && tag <= 0x39) {
      reader.readFixed64();
      const { low, high } = reader;
      if (tag === 0x11) into.startMs = nanosToMs(low, high);
      else if (tag === 0x19) into.unixMs = nanosToMs(low, high);
      else if (tag === 0x21) into.count = high * twoTo32 + low;
      else if (tag === 0x29) {
        into.sumLow = low;
        into.sumHigh = high;
      } else if (tag === 0x39) into.zeroCount = high * twoTo32 + low;
    } else if (tag === 0x30) this.#scale = this.#readSigned32();
    else if (tag === 0x71) {
      reader.readFixed64();
      const threshold = reader.source.view.getFloat64(reader.position - 8, true);
      if (threshold > 0) into.zeroThreshold = threshold;
    } else reader.skip();
  }

  #readBuckets(side: BucketSide): void {
    const reader = this.#reader;
    const outer = reader.enter();
    let offset = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) offset = this.#readSigned32();
      else if (tag === 0x12) {
        const message = reader.enter();
        while (reader.position < reader.limit) side.addBucket(reader.readVarint());
        reader.leave(message);
      } else if (tag === 0x10) side.addBucket(reader.readVarint());
      else reader.skip();
    }
    reader.leave(outer);
    side.spanCount = 0;
    if (side.bucketCount > 0) side.addSpan(offset + 1, side.bucketCount);
  }

  #readSigned32(): number {
    const reader = this.#reader;
    reader.readVarint64();
    return (reader.low >>> 1) ^ -(reader.low & 1);
  }

  #keep(ranges: RangeList): void {
    const reader = this.#reader;
    const length = reader.readLength();
    ranges.push(reader.position, reader.position + length);
    reader.position += length;
  }
}
