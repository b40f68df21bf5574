/**
 * OTLP ExportLogsServiceRequest -> rows of `logs`.
 *
 * A record's attributes, which are most of it, are written as they are met. Everything else is kept as a position until
 * the record's end: then its time is judged, and of a refused record the attributes are taken back. What a resource or
 * a scope says once is written when its records are known.
 *
 *   ExportLogsServiceRequest => resource_logs:ResourceLogs* (1)
 *   ResourceLogs             => resource:Resource (1) scope_logs:ScopeLogs* (2)
 *   ScopeLogs                => scope:InstrumentationScope (1) log_records:LogRecord* (2)
 */
import { notePartitionMs } from '#store/tables.ts';
import { detectLevel, levelOfAttribute } from '#wire/level/level-detector.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { AttributeReader } from './any-value.ts';
import { AttributeWriter, stringLength } from './attribute-writer.ts';
import { BodyFields } from './body-fields.ts';
import { Hash64 } from './byte-hash.ts';
import { LogColumns } from './log-columns.ts';
import { PartitionLedger } from './partition-ledger.ts';
import type { PromotedField } from './promoted-fields.ts';
import { nanosToMs, type RecordWindow } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { ResourceScope, textBytes } from './resource-scope.ts';
import { SeverityWriter } from './severity-writer.ts';

/** Where an event's name is kept: OpenTelemetry's attribute for it before LogRecord had a field. */
const eventNameKey = textBytes('event.name');
/** A field that the record does not have. */
const noPosition = -1;

export class LogsTranscoder {
  readonly columns = new LogColumns();
  readonly ledger = new PartitionLedger(notePartitionMs.logs);
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #group: ResourceScope;
  readonly #writer: AttributeWriter;
  readonly #streamHash = new Hash64();
  readonly #severities = new SeverityWriter(this.columns);
  readonly #values: AttributeReader;
  /** Undefined where no field is promoted, so that nothing is done for none. */
  readonly #bodyFields: BodyFields | undefined;

  // The record that is being read. Times are positions in the request, noPosition where there is none.
  #timeAt = noPosition;
  #observedAt = noPosition;
  #severity = 0;
  #textStart = 0;
  #textLength = 0;
  #bodyStart = 0;
  #bodyEnd = 0;
  #flags = 0;
  #traceStart = 0;
  #traceLength = 0;
  #spanStart = 0;
  #spanLength = 0;
  #eventStart = 0;
  #eventLength = 0;
  /** Length of the attribute values' column before it. */
  #attributeBytesBefore = 0;

  constructor(reader: ProtobufReader, window: RecordWindow, promoted: readonly PromotedField[]) {
    this.#reader = reader;
    this.#window = window;
    const values = new AttributeReader(reader);
    this.#values = values;
    this.#bodyFields = promoted.length === 0 ? undefined : new BodyFields(promoted);
    this.#group = new ResourceScope(reader, values);
    this.#writer = new AttributeWriter(reader, values);
  }

  /** Appends the rows of the request that `reader` begins. Throws DecodeError or ExpansionError half-way. */
  transcode(tenant: string, tally: RequestTally): void {
    const reader = this.#reader;
    const { columns } = this;
    const rowsBefore = columns.ts.count;
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x0a) this.#readResourceLogs(tally);
      else reader.skip();
    }
    tally.accepted = columns.ts.count - rowsBefore;
    const name = textBytes(tenant);
    const index = columns.tenant.dictionary.indexOf(name, 0, name.bytes.length);
    columns.tenant.pushRepeated(index, tally.accepted);
  }

  reset(): void {
    this.columns.sink.reset();
    this.#severities.reset();
  }

  /** The columns were rolled back: numbers of dictionary keys that are remembered may not be there any more. */
  rollback(): void {
    this.#severities.reset();
  }

  #readResourceLogs(tally: RequestTally): void {
    const reader = this.#reader;
    const group = this.#group;
    const { columns } = this;
    const rowsBefore = columns.ts.count;
    group.beginResource();
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) group.readResource();
      else if (tag === 0x12) this.#readScopeLogs(tally);
      else reader.skip();
    }
    reader.leave(outer);
    const rowCount = columns.ts.count - rowsBefore;
    if (rowCount === 0) return;
    group.writeResource(columns.labels, columns.service, rowCount);
    group.attributes.sort();
    group.attributes.hash(this.#streamHash);
    columns.streamId.pushUint64(this.#streamHash.low, this.#streamHash.high);
    columns.streamId.repeatLast(rowCount);
  }

  #readScopeLogs(tally: RequestTally): void {
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
        this.#readRecord(start, end);
        this.#endRecord(start, end, tally);
        reader.seek(end, groupEnd);
      } else reader.skip();
    }
    reader.leave(outer);
    const rowCount = columns.ts.count - rowsBefore;
    checkRecordCount(rowCount);
    this.#group.writeScope(columns.scopeName, columns.scopeVersion, rowCount);
  }

  #clearRecord(): void {
    this.#timeAt = noPosition;
    this.#observedAt = noPosition;
    this.#severity = 0;
    this.#textLength = 0;
    this.#bodyStart = 0;
    this.#bodyEnd = 0;
    this.#flags = 0;
    this.#traceLength = 0;
    this.#spanLength = 0;
    this.#eventLength = 0;
    this.#attributeBytesBefore = this.columns.attrs.values.byteLength;
  }

  // LogRecord => time_unix_nano:fixed64 (1) severity_number:enum (2) severity_text:string (3) body:AnyValue (5)
  //   attributes:KeyValue* (6) flags:fixed32 (8) trace_id:bytes (9) span_id:bytes (10)
  //   observed_time_unix_nano:fixed64 (11) event_name:string (12)
  #readRecord(start: number, end: number): void {
    const reader = this.#reader;
    this.#clearRecord();
    reader.seek(start, end);
    while (reader.position < end) {
      switch (reader.readTag()) {
        case 0x09:
          this.#timeAt = reader.passFixed64();
          break;
        case 0x10:
          this.#severity = reader.readVarint();
          break;
        case 0x1a:
          this.#textStart = reader.passBytes();
          this.#textLength = reader.position - this.#textStart;
          break;
        case 0x2a:
          this.#bodyStart = reader.passBytes();
          this.#bodyEnd = reader.position;
          break;
        case 0x32:
          this.#writer.writeRun(this.columns.attrs, 0x32);
          break;
        case 0x45:
          this.#flags = reader.readFixed32() & 0xff;
          break;
        case 0x4a:
          this.#traceStart = reader.passBytes();
          this.#traceLength = reader.position - this.#traceStart;
          break;
        case 0x52:
          this.#spanStart = reader.passBytes();
          this.#spanLength = reader.position - this.#spanStart;
          break;
        case 0x59:
          this.#observedAt = reader.passFixed64();
          break;
        case 0x62:
          this.#eventStart = reader.passBytes();
          this.#eventLength = reader.position - this.#eventStart;
          break;
        default:
          reader.skip();
      }
    }
  }

  /** Writes the record that was read, [start, end), or counts why not. */
  #endRecord(start: number, end: number, tally: RequestTally): void {
    const { columns } = this;
    const { source } = this.#reader;
    if (!this.#writeTimes(tally)) {
      columns.attrs.restartRow(this.#attributeBytesBefore);
      return;
    }
    if (this.#severity === 0 && this.#textLength === 0)
      this.#severities.writeDetected(this.#detectLevel(start, end));
    else this.#severities.write(source, this.#severity, this.#textStart, this.#textLength);
    if (this.#traceLength === 16) columns.traceId.pushRange(source, this.#traceStart);
    else columns.traceId.pushZero();
    if (this.#spanLength === 8) columns.spanId.pushRange(source, this.#spanStart);
    else columns.spanId.pushZero();
    columns.flags.pushUint8(this.#flags);
    if (this.#eventLength > 0) this.#putEventFirst(start, end);
    this.#writer.writeText(columns.body, this.#bodyStart, this.#bodyEnd);
    if (this.#bodyFields !== undefined) this.#promoteFields(this.#bodyFields);
    columns.attrs.endRow();
  }

  /** Of a body that is a map the fields are those of its JSON, which was just stored. */
  #promoteFields(fields: BodyFields): void {
    const { attrs } = this.columns;
    const { source } = this.#reader;
    const values = this.#values;
    const length = stringLength(source.bytes, this.#bodyStart, this.#bodyEnd);
    if (length >= 0) fields.promote(source, this.#bodyEnd - length, length, attrs);
    else fields.promote(values.valueSource, values.valueStart, values.valueLength, attrs);
  }

  /**
   * Writes the record's time and the observed time where the time is stored. Each stands in for the other, and the time
   * of arrival for both.
   */
  #writeTimes(tally: RequestTally): boolean {
    const window = this.#window;
    const { ts, observedTs } = this.columns;
    const { view } = this.#reader.source;
    let observedLow = window.nowLow;
    let observedHigh = window.nowHigh;
    if (this.#observedAt !== noPosition) {
      const low = view.getUint32(this.#observedAt, true);
      const high = view.getUint32(this.#observedAt + 4, true);
      if (low !== 0 || high !== 0) {
        observedLow = low;
        observedHigh = high;
      }
    }
    let low = 0;
    let high = 0;
    if (this.#timeAt !== noPosition) {
      low = view.getUint32(this.#timeAt, true);
      high = view.getUint32(this.#timeAt + 4, true);
    }
    if (low === 0 && high === 0) {
      low = observedLow;
      high = observedHigh;
    }
    const refusal = window.refusalOfNanos(low, high);
    if (refusal !== undefined) {
      tally.reject(refusal, window.describe(refusal, nanosToMs(low, high)));
      return false;
    }
    if (!this.ledger.admitsNanos(low, high)) return false;
    ts.pushUint64(low, high);
    if (window.refusalOfNanos(observedLow, observedHigh) === 'out_of_range') observedTs.pushUint64(low, high);
    else observedTs.pushUint64(observedLow, observedHigh);
    return true;
  }

  /** The level of a record without a severity, by an attribute that is named so, else by its text. */
  #detectLevel(start: number, end: number): number {
    const reader = this.#reader;
    const { source } = reader;
    reader.seek(start, end);
    while (reader.position < end) {
      if (reader.readTag() !== 0x32) {
        reader.skip();
        continue;
      }
      const level = levelOfAttribute(source.bytes, reader.passBytes(), reader.position);
      if (level !== 0) return level;
    }
    // AnyValue => string_value (1); other bodies are no lines.
    if (this.#bodyEnd - this.#bodyStart < 2 || source.bytes[this.#bodyStart] !== 0x0a) return 0;
    reader.seek(this.#bodyStart + 1, this.#bodyEnd);
    const length = reader.readLength();
    return detectLevel(source, reader.position, length);
  }

  /** An event's name is the first attribute, so that it wins over one of the same key: the others are read again. */
  #putEventFirst(start: number, end: number): void {
    const reader = this.#reader;
    const { attrs } = this.columns;
    attrs.restartRow(this.#attributeBytesBefore);
    attrs.pushKey(eventNameKey, 0, eventNameKey.bytes.length);
    attrs.values.pushRange(reader.source, this.#eventStart, this.#eventLength);
    reader.seek(start, end);
    while (reader.position < end) {
      if (reader.readTag() === 0x32) this.#writer.writeRun(this.columns.attrs, 0x32);
      else reader.skip();
    }
  }
}
