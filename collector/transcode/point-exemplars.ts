/**
 * The exemplars of OTLP data points, under the series that Prometheus gives them: a bucket of an explicit histogram has
 * those that fell into it.
 *
 *   Exemplar => time_unix_nano:fixed64 (2) as_double:double (3) span_id:bytes (4) trace_id:bytes (5)
 *     as_int:sfixed64 (6) filtered_attributes:KeyValue* (7)
 *
 * Labels are trace_id and span_id as hex, and the attributes under their own names: all of them, or none where they
 * would be longer than an exemplar's labels may be.
 */
import { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeReader } from './any-value.ts';
import { exemplarCountRefusal, exemplarRefusal, exemplarRunesMax, runeCount } from './exemplar-rules.ts';
import { LabelSet } from './label-set.ts';
import type { PointSeries, SeriesRole } from './point-series.ts';
import { RangeList } from './range-list.ts';
import { nanosToMs, type RecordWindow, twoTo32 } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import type { SeriesSink } from './series-sink.ts';

const traceIdName = textBytes('trace_id');
const spanIdName = textBytes('span_id');
const hexDigits = new TextEncoder().encode('0123456789abcdef');
/** Longer ids are no ids; 16 and 8 bytes are the only lengths that OTLP knows. */
const idBytesMax = 16;

export class PointExemplars {
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #series: SeriesSink;
  readonly #pointSeries: PointSeries;
  readonly #values: AttributeReader;
  readonly #labels = new LabelSet();
  readonly #attributes = new RangeList();
  readonly #hex = new ByteView(new Uint8Array(idBytesMax * 2 + 16));
  // The exemplar that was read last.
  #unixMs = 0;
  #valueLow = 0;
  #valueHigh = 0;
  #traceStart = 0;
  #traceLength = 0;
  #spanStart = 0;
  #spanLength = 0;
  readonly #double = new DataView(new ArrayBuffer(8));

  constructor(
    reader: ProtobufReader,
    window: RecordWindow,
    series: SeriesSink,
    pointSeries: PointSeries,
    values: AttributeReader,
  ) {
    this.#reader = reader;
    this.#window = window;
    this.#series = series;
    this.#pointSeries = pointSeries;
    this.#values = values;
  }

  /**
   * Appends exemplars of the point that `pointSeries` is at. `name` and `role` say which of its series; `boundOf` gives
   * the series' bound from an exemplar's value. One without a time has the point's.
   */
  write(
    exemplars: RangeList,
    pointMs: number,
    name: ByteView,
    role: SeriesRole,
    boundOf: (value: number) => number,
    tally: RequestTally,
  ): void {
    for (let i = 0; i < exemplars.count; i++) {
      this.#read(exemplars.starts[i], exemplars.ends[i]);
      const unixMs = this.#unixMs === 0 ? pointMs : this.#unixMs;
      this.#fillLabels();
      const refusal = exemplarRefusal(this.#labels, unixMs, this.#window);
      if (refusal !== undefined) {
        tally.reject(refusal.reason, refusal.message);
        continue;
      }
      this.#double.setUint32(0, this.#valueLow, true);
      this.#double.setUint32(4, this.#valueHigh, true);
      const entry = this.#pointSeries.find(name, role, boundOf(this.#double.getFloat64(0, true)), unixMs);
      // A series that is refused was counted with its sample.
      if (entry === -1) continue;
      this.#series
        .beginExemplar(entry, name, 0, name.bytes.length, unixMs)
        ?.push(unixMs, this.#valueLow, this.#valueHigh, this.#labels);
    }
  }

  #read(start: number, end: number): void {
    const reader = this.#reader;
    this.#unixMs = 0;
    this.#valueLow = 0;
    this.#valueHigh = 0;
    this.#traceLength = 0;
    this.#spanLength = 0;
    this.#attributes.clear();
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x11) {
        reader.readFixed64();
        this.#unixMs = nanosToMs(reader.low, reader.high);
      } else if (tag === 0x19) {
        reader.readFixed64();
        this.#valueLow = reader.low;
        this.#valueHigh = reader.high;
      } else if (tag === 0x31) {
        reader.readFixed64();
        this.#double.setFloat64(0, (reader.high | 0) * twoTo32 + reader.low, true);
        this.#valueLow = this.#double.getUint32(0, true);
        this.#valueHigh = this.#double.getUint32(4, true);
      } else if (tag === 0x22 || tag === 0x2a || tag === 0x3a) this.#readRange(tag);
      else reader.skip();
    }
  }

  #readRange(tag: number): void {
    const reader = this.#reader;
    const length = reader.readLength();
    const start = reader.position;
    if (tag === 0x22) {
      this.#spanStart = start;
      this.#spanLength = length;
    } else if (tag === 0x2a) {
      this.#traceStart = start;
      this.#traceLength = length;
    } else this.#attributes.push(start, start + length);
    reader.position = start + length;
  }

  #fillLabels(): void {
    const labels = this.#labels;
    labels.clear();
    this.#addIds();
    if (this.#attributes.count > 0 && exemplarCountRefusal(this.#attributes.count) === undefined) {
      this.#addAttributes();
      labels.sort();
      if (runeCount(labels) <= exemplarRunesMax) return;
      labels.clear();
      this.#addIds();
    }
    labels.sort();
  }

  #addIds(): void {
    this.#addId(traceIdName, this.#traceStart, this.#traceLength);
    this.#addId(spanIdName, this.#spanStart, this.#spanLength);
  }

  #addId(name: ByteView, start: number, length: number): void {
    if (length === 0 || length > idBytesMax) return;
    const { bytes } = this.#reader.source;
    const hex = this.#hex.bytes;
    let isZero = true;
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i];
      if (byte !== 0) isZero = false;
      hex[i * 2] = hexDigits[byte >>> 4];
      hex[i * 2 + 1] = hexDigits[byte & 15];
    }
    if (!isZero) this.#labels.add(name, 0, name.bytes.length, this.#hex, 0, length * 2);
  }

  #addAttributes(): void {
    const values = this.#values;
    for (let i = 0; i < this.#attributes.count; i++) {
      values.readKeyValue(this.#attributes.starts[i], this.#attributes.ends[i]);
      if (values.valueLength === 0) continue;
      this.#labels.add(
        this.#reader.source,
        values.keyStart,
        values.keyLength,
        values.valueSource,
        values.valueStart,
        values.valueLength,
      );
    }
  }
}
