/**
 * Reads OTLP data points of every kind into plain fields: where the attributes are, the time, the value's 64 bits.
 *
 *   Gauge | Sum | Histogram | Summary => data_points:Point* (1) aggregation_temporality:enum (2) is_monotonic:bool (3)
 */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { RangeList } from './range-list.ts';
import { nanosToMs, type RecordWindow, twoTo32 } from './record-window.ts';

/** OTLP DataPointFlags: the series ended, the value means nothing. */
const flagNoRecordedValue = 1;

export class PointReader {
  // Of the metric's data, after scanData.
  readonly points = new RangeList();
  temporality = 0;
  isMonotonic = false;

  // Of the point that was read last.
  readonly attributes = new RangeList();
  readonly exemplars = new RangeList();
  /** ValueAtQuantile messages of a summary. */
  readonly quantiles = new RangeList();
  /** The time of arrival where the point has none. */
  unixMs = 0;
  hasTime = false;
  /** When the interval of a sum, histogram or summary began; 0 where the sender does not say. */
  startMs = 0;
  isStale = false;
  /** Whether there is a value (of a number) or a sum (of a histogram or summary); its bits follow. */
  hasValue = false;
  valueLow = 0;
  valueHigh = 0;
  count = 0;

  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #bounds = new RangeList();
  readonly #buckets = new RangeList();
  readonly #double = new DataView(new ArrayBuffer(8));
  #timeLow = 0;
  #timeHigh = 0;
  #startLow = 0;
  #startHigh = 0;

  constructor(reader: ProtobufReader, window: RecordWindow) {
    this.#reader = reader;
    this.#window = window;
  }

  get boundCount(): number {
    return this.#bounds.count;
  }

  get bucketCount(): number {
    return this.#buckets.count;
  }

  /** Finds the points and the temporality of a Gauge, Sum, Histogram, ExponentialHistogram or Summary. */
  scanData(start: number, end: number): void {
    const reader = this.#reader;
    this.points.clear();
    this.temporality = 0;
    this.isMonotonic = false;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.points.keepRun(reader, tag);
      else if (tag === 0x10) this.temporality = reader.readVarint();
      else if (tag === 0x18) this.isMonotonic = reader.readVarint() !== 0;
      else reader.skip();
    }
  }

  // NumberDataPoint => start_time_unix_nano:fixed64 (2) time_unix_nano:fixed64 (3) as_double:double (4) exemplars (5)
  //   as_int:sfixed64 (6) attributes:KeyValue* (7) flags:uint32 (8)
  readNumber(index: number): void {
    const reader = this.#reader;
    const end = this.#begin(index);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x21) this.#keepValue();
      else if (tag === 0x31) {
        reader.readFixed64();
        this.setValue((reader.high | 0) * twoTo32 + reader.low);
        this.hasValue = true;
      } else if (tag === 0x3a) this.attributes.keepRun(reader, tag);
      else this.#readOther(tag, 0x2a, 0x40);
    }
    this.#end();
  }

  // HistogramDataPoint => time_unix_nano:fixed64 (3) count:fixed64 (4) sum:double? (5) bucket_counts:fixed64* (6)
  //   explicit_bounds:double* (7) exemplars (8) attributes:KeyValue* (9) flags:uint32 (10)
  readHistogram(index: number): void {
    const reader = this.#reader;
    const end = this.#begin(index);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x21) this.#keepCount();
      else if (tag === 0x29) this.#keepValue();
      else if (tag === 0x31 || tag === 0x32) this.#keepEights(tag, this.#buckets);
      else if (tag === 0x39 || tag === 0x3a) this.#keepEights(tag, this.#bounds);
      else if (tag === 0x4a) this.#keep(this.attributes);
      else this.#readOther(tag, 0x42, 0x50);
    }
    this.#end();
  }

  // SummaryDataPoint => time_unix_nano:fixed64 (3) count:fixed64 (4) sum:double (5) quantile_values (6)
  //   attributes:KeyValue* (7) flags:uint32 (8)
  readSummary(index: number): void {
    const reader = this.#reader;
    const end = this.#begin(index);
    // Without "optional", a sum of 0 is not on the wire.
    this.hasValue = true;
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x21) this.#keepCount();
      else if (tag === 0x29) this.#keepValue();
      else if (tag === 0x32) this.#keep(this.quantiles);
      else if (tag === 0x3a) this.#keep(this.attributes);
      else this.#readOther(tag, 0, 0x40);
    }
    this.#end();
  }

  // ValueAtQuantile => quantile:double (1) value:double (2)
  /** Returns a quantile; its value's bits are then in valueLow and valueHigh. */
  readQuantile(index: number): number {
    const reader = this.#reader;
    const end = this.quantiles.ends[index];
    let quantile = 0;
    this.valueLow = 0;
    this.valueHigh = 0;
    reader.seek(this.quantiles.starts[index], end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x09) {
        reader.readFixed64();
        quantile = reader.source.view.getFloat64(reader.position - 8, true);
      } else if (tag === 0x11) this.#keepValue();
      else reader.skip();
    }
    return quantile;
  }

  boundAt(index: number): number {
    return this.#reader.source.view.getFloat64(this.#bounds.starts[index], true);
  }

  /** The count of one bucket alone: OTLP does not add up. Exact below 2^53. */
  bucketAt(index: number): number {
    const { view } = this.#reader.source;
    const start = this.#buckets.starts[index];
    return view.getUint32(start + 4, true) * twoTo32 + view.getUint32(start, true);
  }

  /** The value as a number. */
  get value(): number {
    this.#double.setUint32(0, this.valueLow, true);
    this.#double.setUint32(4, this.valueHigh, true);
    return this.#double.getFloat64(0, true);
  }

  /** Sets the value's bits from a number that we computed. */
  setValue(value: number): void {
    this.#double.setFloat64(0, value, true);
    this.valueLow = this.#double.getUint32(0, true);
    this.valueHigh = this.#double.getUint32(4, true);
  }

  #begin(index: number): number {
    this.attributes.clear();
    this.exemplars.clear();
    this.quantiles.clear();
    this.#bounds.clear();
    this.#buckets.clear();
    this.#timeLow = 0;
    this.#timeHigh = 0;
    this.#startLow = 0;
    this.#startHigh = 0;
    this.isStale = false;
    this.hasValue = false;
    this.valueLow = 0;
    this.valueHigh = 0;
    this.count = 0;
    const end = this.points.ends[index];
    this.#reader.seek(this.points.starts[index], end);
    return end;
  }

  #end(): void {
    this.startMs = nanosToMs(this.#startLow, this.#startHigh);
    this.hasTime = this.#timeLow !== 0 || this.#timeHigh !== 0;
    this.unixMs = this.hasTime
      ? nanosToMs(this.#timeLow, this.#timeHigh)
      : Math.floor(this.#window.nowUnixMs);
  }

  /** The fields that have the same meaning in every kind of point, if under different numbers. */
  #readOther(tag: number, exemplarTag: number, flagsTag: number): void {
    const reader = this.#reader;
    if (tag === 0x19) {
      reader.readFixed64();
      this.#timeLow = reader.low;
      this.#timeHigh = reader.high;
    } else if (tag === 0x11) {
      reader.readFixed64();
      this.#startLow = reader.low;
      this.#startHigh = reader.high;
    } else if (tag === flagsTag) this.isStale = reader.readVarint() % 2 === flagNoRecordedValue;
    else if (tag === exemplarTag) this.#keep(this.exemplars);
    else reader.skip();
  }

  #keepCount(): void {
    const reader = this.#reader;
    reader.readFixed64();
    this.count = reader.high * twoTo32 + reader.low;
  }

  #keepValue(): void {
    const reader = this.#reader;
    reader.readFixed64();
    this.valueLow = reader.low;
    this.valueHigh = reader.high;
    this.hasValue = true;
  }

  #keep(ranges: RangeList): void {
    const reader = this.#reader;
    const length = reader.readLength();
    ranges.push(reader.position, reader.position + length);
    reader.position += length;
  }

  /** Keeps where each 8-byte element of a repeated field is: packed in one field, or a field each. */
  #keepEights(tag: number, elements: RangeList): void {
    const reader = this.#reader;
    const length = (tag & 7) === 2 ? reader.readLength() : 8;
    const start = reader.position;
    if (length % 8 !== 0) {
      throw new DecodeError(`field ${tag >>> 3} packs 8-byte numbers into ${length} bytes`, start);
    }
    if (start + length > reader.limit) {
      throw new DecodeError(
        `field ${tag >>> 3} is an 8-byte value, but its message ends after ${reader.limit - start} bytes`,
        start,
      );
    }
    for (let at = start; at < start + length; at += 8) elements.push(at, at + 8);
    reader.position = start + length;
  }
}
