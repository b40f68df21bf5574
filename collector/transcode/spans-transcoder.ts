/**
 * OTLP ExportTraceServiceRequest -> rows of `spans`, and one row of `trace_index` per trace id of the request.
 *
 * A span is scanned first (where its fields are), judged (ids, time), and then written.
 *
 *   ExportTraceServiceRequest => resource_spans:ResourceSpans* (1)
 *   ResourceSpans             => resource:Resource (1) scope_spans:ScopeSpans* (2)
 *   ScopeSpans                => scope:InstrumentationScope (1) spans:Span* (2)
 */
import { notePartitionMs } from '#store/tables.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { AttributeReader } from './any-value.ts';
import { PartitionLedger } from './partition-ledger.ts';
import { RangeList } from './range-list.ts';
import { nanosToMs, nanosToSeconds, type RecordWindow, twoTo32 } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { ResourceScope, textBytes } from './resource-scope.ts';
import { SpanColumns, TraceIndexColumns } from './span-columns.ts';
import { SpanParts } from './span-parts.ts';
import { TraceSeconds } from './trace-seconds.ts';

const secondMax = 0xffff_ffff;

export class SpansTranscoder {
  readonly columns = new SpanColumns();
  readonly index = new TraceIndexColumns();
  readonly ledger = new PartitionLedger(notePartitionMs.spans);
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #values: AttributeReader;
  readonly #group: ResourceScope;
  readonly #traces = new TraceSeconds();
  readonly #parts: SpanParts;
  readonly #attributes = new RangeList();
  readonly #events = new RangeList();
  readonly #links = new RangeList();

  // The fields of the span that is being read.
  #traceStart = 0;
  #traceLength = 0;
  #spanStart = 0;
  #spanLength = 0;
  #parentStart = 0;
  #parentLength = 0;
  #stateStart = 0;
  #stateLength = 0;
  #nameStart = 0;
  #nameLength = 0;
  #kind = 0;
  #startLow = 0;
  #startHigh = 0;
  #endLow = 0;
  #endHigh = 0;
  #statusStart = 0;
  #statusEnd = 0;

  constructor(reader: ProtobufReader, window: RecordWindow) {
    this.#reader = reader;
    this.#window = window;
    this.#values = new AttributeReader(reader);
    this.#group = new ResourceScope(reader, this.#values);
    this.#parts = new SpanParts(reader, this.#values, this.columns);
  }

  /** Appends the rows of the request that `reader` begins. Throws DecodeError or ExpansionError half-way. */
  transcode(tenant: string, tally: RequestTally): void {
    const reader = this.#reader;
    const { columns } = this;
    const rowsBefore = columns.ts.count;
    this.#traces.clear();
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x0a) this.#readResourceSpans(tally);
      else reader.skip();
    }
    tally.accepted = columns.ts.count - rowsBefore;
    const name = textBytes(tenant);
    const index = columns.tenant.dictionary.indexOf(name, 0, name.bytes.length);
    columns.tenant.pushRepeated(index, tally.accepted);
    this.#traces.writeTo(this.index, name);
  }

  reset(): void {
    this.columns.sink.reset();
    this.index.sink.reset();
  }

  #readResourceSpans(tally: RequestTally): void {
    const reader = this.#reader;
    const { columns } = this;
    const rowsBefore = columns.ts.count;
    this.#group.beginResource();
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#group.readResource();
      else if (tag === 0x12) this.#readScopeSpans(tally);
      else reader.skip();
    }
    reader.leave(outer);
    this.#group.writeResource(columns.labels, columns.service, columns.ts.count - rowsBefore);
  }

  #readScopeSpans(tally: RequestTally): void {
    const reader = this.#reader;
    const { columns } = this;
    const rowsBefore = columns.ts.count;
    this.#group.beginScope();
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#group.readScope();
      else if (tag === 0x12) {
        const span = reader.enter();
        const end = reader.limit;
        this.#scanSpan();
        if (this.#isAccepted(tally)) this.#writeSpan();
        reader.seek(end, span);
      } else reader.skip();
    }
    reader.leave(outer);
    const rowCount = columns.ts.count - rowsBefore;
    checkRecordCount(rowCount);
    this.#group.writeScope(columns.scopeName, columns.scopeVersion, rowCount);
  }

  #clearSpan(): void {
    this.#traceLength = 0;
    this.#spanLength = 0;
    this.#parentLength = 0;
    this.#stateLength = 0;
    this.#nameLength = 0;
    this.#kind = 0;
    this.#startLow = 0;
    this.#startHigh = 0;
    this.#endLow = 0;
    this.#endHigh = 0;
    this.#statusStart = 0;
    this.#statusEnd = 0;
    this.#attributes.clear();
    this.#events.clear();
    this.#links.clear();
  }

  // Span => trace_id:bytes (1) span_id:bytes (2) trace_state:string (3) parent_span_id:bytes (4) name:string (5)
  //   kind:enum (6) start_time_unix_nano:fixed64 (7) end_time_unix_nano:fixed64 (8) attributes:KeyValue* (9)
  //   events:Event* (11) links:Link* (13) status:Status (15)
  #scanSpan(): void {
    const reader = this.#reader;
    const end = reader.limit;
    this.#clearSpan();
    while (reader.position < end) {
      const tag = reader.readTag();
      switch (tag) {
        case 0x30:
          this.#kind = reader.readVarint();
          break;
        case 0x39:
          reader.readFixed64();
          this.#startLow = reader.low;
          this.#startHigh = reader.high;
          break;
        case 0x41:
          reader.readFixed64();
          this.#endLow = reader.low;
          this.#endHigh = reader.high;
          break;
        case 0x0a:
        case 0x12:
        case 0x1a:
        case 0x22:
        case 0x2a:
        case 0x4a:
        case 0x5a:
        case 0x6a:
        case 0x7a: {
          const length = reader.readLength();
          this.#keepRange(tag >>> 3, reader.position, length);
          reader.position += length;
          break;
        }
        default:
          reader.skip();
      }
    }
  }

  #keepRange(field: number, start: number, length: number): void {
    switch (field) {
      case 1:
        this.#traceStart = start;
        this.#traceLength = length;
        return;
      case 2:
        this.#spanStart = start;
        this.#spanLength = length;
        return;
      case 3:
        this.#stateStart = start;
        this.#stateLength = length;
        return;
      case 4:
        this.#parentStart = start;
        this.#parentLength = length;
        return;
      case 5:
        this.#nameStart = start;
        this.#nameLength = length;
        return;
      case 9:
        this.#attributes.push(start, start + length);
        return;
      case 11:
        this.#events.push(start, start + length);
        return;
      case 13:
        this.#links.push(start, start + length);
        return;
      default:
        this.#statusStart = start;
        this.#statusEnd = start + length;
    }
  }

  /** Says whether the scanned span is to be written, and fills in a missing start: by its end, else by the time of arrival. */
  #isAccepted(tally: RequestTally): boolean {
    const { source } = this.#reader;
    const hasIds =
      this.#traceLength === 16 &&
      this.#spanLength === 8 &&
      (this.#parentLength === 0 || this.#parentLength === 8) &&
      !isZero(source, this.#traceStart, 16) &&
      !isZero(source, this.#spanStart, 8);
    if (!hasIds) {
      tally.reject(
        'invalid_id',
        `a span needs a trace id of 16 bytes and a span id of 8, not all zero, and a parent id of 8 or none; got ${this.#traceLength}, ${this.#spanLength} and ${this.#parentLength} bytes`,
      );
      return false;
    }
    if (this.#startLow === 0 && this.#startHigh === 0) {
      const hasEnd = this.#endLow !== 0 || this.#endHigh !== 0;
      this.#startLow = hasEnd ? this.#endLow : this.#window.nowLow;
      this.#startHigh = hasEnd ? this.#endHigh : this.#window.nowHigh;
    }
    const refusal = this.#window.refusalOfNanos(this.#startLow, this.#startHigh);
    if (refusal === undefined) return this.ledger.admitsNanos(this.#startLow, this.#startHigh);
    tally.reject(refusal, this.#window.describe(refusal, nanosToMs(this.#startLow, this.#startHigh)));
    return false;
  }

  #writeSpan(): void {
    const { columns } = this;
    const { source } = this.#reader;
    columns.ts.pushUint64(this.#startLow, this.#startHigh);
    columns.traceId.pushRange(source, this.#traceStart);
    columns.spanId.pushRange(source, this.#spanStart);
    if (this.#parentLength === 8) columns.parentId.pushRange(source, this.#parentStart);
    else columns.parentId.pushZero();
    columns.traceState.pushRange(source, this.#stateStart, this.#stateLength);
    columns.name.pushRange(source, this.#nameStart, this.#nameLength);
    columns.kind.pushUint8(this.#kind <= 127 ? this.#kind : 0);
    this.#writeDuration();
    this.#parts.writeStatus(this.#statusStart, this.#statusEnd);
    this.#values.writeRow(columns.attrs, this.#attributes);
    this.#parts.writeEvents(this.#events);
    this.#parts.writeLinks(this.#links);
  }

  /** End minus start, in 64 bits by halves; 0 where the end is missing or before the start. */
  #writeDuration(): void {
    let low = this.#endLow - this.#startLow;
    let high = this.#endHigh - this.#startHigh;
    if (low < 0) {
      low += twoTo32;
      high -= 1;
    }
    const isForward = high >= 0;
    this.columns.durationNs.pushUint64(isForward ? low : 0, isForward ? high : 0);
    const firstSecond = nanosToSeconds(this.#startLow, this.#startHigh);
    const lastSecond = isForward
      ? Math.min(secondMax, nanosToSeconds(this.#endLow, this.#endHigh))
      : firstSecond;
    this.#traces.add(this.#reader.source, this.#traceStart, firstSecond, lastSecond);
  }
}

function isZero(source: ByteView, start: number, length: number): boolean {
  for (let at = start; at < start + length; at += 4) if (source.view.getInt32(at, true) !== 0) return false;
  return true;
}
