/**
 * OTLP ExportTraceServiceRequest -> rows of `spans`, and one row of `trace_index` per trace id of the request.
 *
 * A span's attributes are written as they are met, as those of log records are; everything else is kept as a position
 * until the span's end. Then its ids and its time are judged, and of a refused span the attributes are taken back.
 *
 *   ExportTraceServiceRequest => resource_spans:ResourceSpans* (1)
 *   ResourceSpans             => resource:Resource (1) scope_spans:ScopeSpans* (2)
 *   ScopeSpans                => scope:InstrumentationScope (1) spans:Span* (2)
 */
import { notePartitionMs } from '#store/tables.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { AttributeReader } from './any-value.ts';
import { AttributeWriter } from './attribute-writer.ts';
import { PartitionLedger } from './partition-ledger.ts';
import { RangeList } from './range-list.ts';
import { nanosToMs, nanosToSeconds, type RecordWindow, twoTo32 } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { ResourceScope, textBytes } from './resource-scope.ts';
import { SpanColumns, TraceIndexColumns } from './span-columns.ts';
import { SpanParts } from './span-parts.ts';
import { TraceSeconds } from './trace-seconds.ts';

const secondMax = 0xffff_ffff;
/** A field that the span does not have. */
const noPosition = -1;

export class SpansTranscoder {
  readonly columns = new SpanColumns();
  readonly index = new TraceIndexColumns();
  readonly ledger = new PartitionLedger(notePartitionMs.spans);
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #writer: AttributeWriter;
  readonly #group: ResourceScope;
  readonly #traces = new TraceSeconds();
  readonly #parts: SpanParts;
  readonly #events = new RangeList();
  readonly #links = new RangeList();

  // The span that is being read. Times are positions in the request, noPosition where there is none.
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
  #startAt = noPosition;
  #endAt = noPosition;
  #statusStart = 0;
  #statusEnd = 0;
  /** Length of the attribute values' column before it. */
  #attributeBytesBefore = 0;

  constructor(reader: ProtobufReader, window: RecordWindow) {
    this.#reader = reader;
    this.#window = window;
    const values = new AttributeReader(reader);
    this.#group = new ResourceScope(reader, values);
    this.#writer = new AttributeWriter(reader, values);
    this.#parts = new SpanParts(reader, this.#writer, this.columns);
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
        const start = reader.passBytes();
        const end = reader.position;
        const groupEnd = reader.limit;
        this.#readSpan(start, end);
        if (this.#hasIds(tally) && this.#writeTimes(tally)) this.#endSpan();
        else columns.attrs.restartRow(this.#attributeBytesBefore);
        reader.seek(end, groupEnd);
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
    this.#startAt = noPosition;
    this.#endAt = noPosition;
    this.#statusStart = 0;
    this.#statusEnd = 0;
    this.#attributeBytesBefore = this.columns.attrs.values.byteLength;
    this.#events.clear();
    this.#links.clear();
  }

  // Span => trace_id:bytes (1) span_id:bytes (2) trace_state:string (3) parent_span_id:bytes (4) name:string (5)
  //   kind:enum (6) start_time_unix_nano:fixed64 (7) end_time_unix_nano:fixed64 (8) attributes:KeyValue* (9)
  //   events:Event* (11) links:Link* (13) status:Status (15)
  #readSpan(start: number, end: number): void {
    const reader = this.#reader;
    this.#clearSpan();
    reader.seek(start, end);
    while (reader.position < end) {
      switch (reader.readTag()) {
        case 0x0a:
          this.#traceStart = reader.passBytes();
          this.#traceLength = reader.position - this.#traceStart;
          break;
        case 0x12:
          this.#spanStart = reader.passBytes();
          this.#spanLength = reader.position - this.#spanStart;
          break;
        case 0x1a:
          this.#stateStart = reader.passBytes();
          this.#stateLength = reader.position - this.#stateStart;
          break;
        case 0x22:
          this.#parentStart = reader.passBytes();
          this.#parentLength = reader.position - this.#parentStart;
          break;
        case 0x2a:
          this.#nameStart = reader.passBytes();
          this.#nameLength = reader.position - this.#nameStart;
          break;
        case 0x30:
          this.#kind = reader.readVarint();
          break;
        case 0x39:
          this.#startAt = reader.passFixed64();
          break;
        case 0x41:
          this.#endAt = reader.passFixed64();
          break;
        case 0x4a:
          this.#writer.writeRun(this.columns.attrs, 0x4a);
          break;
        case 0x5a:
          this.#events.push(reader.passBytes(), reader.position);
          break;
        case 0x6a:
          this.#links.push(reader.passBytes(), reader.position);
          break;
        case 0x7a:
          this.#statusStart = reader.passBytes();
          this.#statusEnd = reader.position;
          break;
        default:
          reader.skip();
      }
    }
  }

  /** Says whether the span can be found and put into its trace; counts it where not. */
  #hasIds(tally: RequestTally): boolean {
    const { source } = this.#reader;
    if (
      this.#traceLength === 16 &&
      this.#spanLength === 8 &&
      (this.#parentLength === 0 || this.#parentLength === 8) &&
      !(isZero(source, this.#traceStart) && isZero(source, this.#traceStart + 8)) &&
      !isZero(source, this.#spanStart)
    ) {
      return true;
    }
    tally.reject(
      'invalid_id',
      `a span needs a trace id of 16 bytes and a span id of 8, not all zero, and a parent id of 8 or none; got ${this.#traceLength}, ${this.#spanLength} and ${this.#parentLength} bytes`,
    );
    return false;
  }

  /**
   * Writes start and duration where the start is stored; counts the span where it is not. For a missing start stands
   * the end, else the time of arrival; the duration is 0 where the end is missing or before the start.
   */
  #writeTimes(tally: RequestTally): boolean {
    const window = this.#window;
    const { view } = this.#reader.source;
    const endLow = this.#endAt === noPosition ? 0 : view.getUint32(this.#endAt, true);
    const endHigh = this.#endAt === noPosition ? 0 : view.getUint32(this.#endAt + 4, true);
    let startLow = this.#startAt === noPosition ? 0 : view.getUint32(this.#startAt, true);
    let startHigh = this.#startAt === noPosition ? 0 : view.getUint32(this.#startAt + 4, true);
    if (startLow === 0 && startHigh === 0) {
      const hasEnd = endLow !== 0 || endHigh !== 0;
      startLow = hasEnd ? endLow : window.nowLow;
      startHigh = hasEnd ? endHigh : window.nowHigh;
    }
    const refusal = window.refusalOfNanos(startLow, startHigh);
    if (refusal !== undefined) {
      tally.reject(refusal, window.describe(refusal, nanosToMs(startLow, startHigh)));
      return false;
    }
    if (!this.ledger.admitsNanos(startLow, startHigh)) return false;
    // End minus start, in 64 bits by halves.
    let low = endLow - startLow;
    let high = endHigh - startHigh;
    if (low < 0) {
      low += twoTo32;
      high -= 1;
    }
    const isForward = high >= 0;
    this.columns.ts.pushUint64(startLow, startHigh);
    this.columns.durationNs.pushUint64(isForward ? low : 0, isForward ? high : 0);
    const first = nanosToSeconds(startLow, startHigh);
    const last = isForward ? Math.min(secondMax, nanosToSeconds(endLow, endHigh)) : first;
    this.#traces.add(this.#reader.source, this.#traceStart, first, last);
    return true;
  }

  #endSpan(): void {
    const { columns } = this;
    const { source } = this.#reader;
    columns.traceId.pushRange(source, this.#traceStart);
    columns.spanId.pushRange(source, this.#spanStart);
    if (this.#parentLength === 8) columns.parentId.pushRange(source, this.#parentStart);
    else columns.parentId.pushZero();
    columns.traceState.pushRange(source, this.#stateStart, this.#stateLength);
    columns.name.pushRange(source, this.#nameStart, this.#nameLength);
    columns.kind.pushUint8(this.#kind <= 127 ? this.#kind : 0);
    columns.attrs.endRow();
    this.#parts.writeStatus(this.#statusStart, this.#statusEnd);
    this.#parts.writeEvents(this.#events);
    this.#parts.writeLinks(this.#links);
  }
}

/** Of the 8 bytes at `start`. */
function isZero(source: ByteView, start: number): boolean {
  return source.view.getInt32(start, true) === 0 && source.view.getInt32(start + 4, true) === 0;
}
