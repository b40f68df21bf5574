/**
 * OTLP ExportLogsServiceRequest -> rows of `logs`.
 *
 * A record is scanned first (where its fields are), judged (its time), and then written, so that a refused record
 * leaves nothing behind. What a resource or a scope says once is written when its records are known.
 *
 *   ExportLogsServiceRequest => resource_logs:ResourceLogs* (1)
 *   ResourceLogs             => resource:Resource (1) scope_logs:ScopeLogs* (2)
 *   ScopeLogs                => scope:InstrumentationScope (1) log_records:LogRecord* (2)
 */
import { notePartitionMs } from '#store/tables.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { AttributeReader } from './any-value.ts';
import { Hash64 } from './byte-hash.ts';
import { LogColumns } from './log-columns.ts';
import { PartitionLedger } from './partition-ledger.ts';
import { RangeList } from './range-list.ts';
import { nanosToMs, type RecordWindow } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { ResourceScope, textBytes } from './resource-scope.ts';
import { levelOfNumber, levelOfText, levels, severityNumberMax } from './severity.ts';

const levelTexts = levels.map(textBytes);
/** Where an event's name is kept: OpenTelemetry's attribute for it before LogRecord had a field. */
const eventNameKey = textBytes('event.name');
const utf8 = new TextDecoder();

export class LogsTranscoder {
  readonly columns = new LogColumns();
  readonly ledger = new PartitionLedger(notePartitionMs.logs);
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #values: AttributeReader;
  readonly #group: ResourceScope;
  readonly #attributes = new RangeList();
  readonly #streamHash = new Hash64();
  /** Level of each text in this block's severity_text dictionary, once it was asked for. */
  readonly #levelOfText: (number | undefined)[] = [];

  // The fields of the record that is being read.
  #timeLow = 0;
  #timeHigh = 0;
  #observedLow = 0;
  #observedHigh = 0;
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

  constructor(reader: ProtobufReader, window: RecordWindow) {
    this.#reader = reader;
    this.#window = window;
    this.#values = new AttributeReader(reader);
    this.#group = new ResourceScope(reader, this.#values);
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
    this.#levelOfText.length = 0;
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
        const record = reader.enter();
        const end = reader.limit;
        this.#scanRecord();
        this.#writeRecord(tally);
        reader.seek(end, record);
      } else reader.skip();
    }
    reader.leave(outer);
    const rowCount = columns.ts.count - rowsBefore;
    checkRecordCount(rowCount);
    this.#group.writeScope(columns.scopeName, columns.scopeVersion, rowCount);
  }

  #clearRecord(): void {
    this.#timeLow = 0;
    this.#timeHigh = 0;
    this.#observedLow = 0;
    this.#observedHigh = 0;
    this.#severity = 0;
    this.#textLength = 0;
    this.#bodyStart = 0;
    this.#bodyEnd = 0;
    this.#flags = 0;
    this.#traceLength = 0;
    this.#spanLength = 0;
    this.#eventLength = 0;
    this.#attributes.clear();
  }

  // LogRecord => time_unix_nano:fixed64 (1) severity_number:enum (2) severity_text:string (3) body:AnyValue (5)
  //   attributes:KeyValue* (6) flags:fixed32 (8) trace_id:bytes (9) span_id:bytes (10)
  //   observed_time_unix_nano:fixed64 (11) event_name:string (12)
  #scanRecord(): void {
    const reader = this.#reader;
    const end = reader.limit;
    this.#clearRecord();
    while (reader.position < end) {
      switch (reader.readTag()) {
        case 0x09:
          reader.readFixed64();
          this.#timeLow = reader.low;
          this.#timeHigh = reader.high;
          break;
        case 0x10:
          this.#severity = reader.readVarint();
          break;
        case 0x1a:
          this.#textLength = reader.readLength();
          this.#textStart = reader.position;
          reader.position += this.#textLength;
          break;
        case 0x2a: {
          const length = reader.readLength();
          this.#bodyStart = reader.position;
          this.#bodyEnd = reader.position += length;
          break;
        }
        case 0x32: {
          const length = reader.readLength();
          const start = reader.position;
          reader.position = start + length;
          this.#attributes.push(start, start + length);
          break;
        }
        case 0x45:
          this.#flags = reader.readFixed32() & 0xff;
          break;
        case 0x4a:
          this.#traceLength = reader.readLength();
          this.#traceStart = reader.position;
          reader.position += this.#traceLength;
          break;
        case 0x52:
          this.#spanLength = reader.readLength();
          this.#spanStart = reader.position;
          reader.position += this.#spanLength;
          break;
        case 0x59:
          reader.readFixed64();
          this.#observedLow = reader.low;
          this.#observedHigh = reader.high;
          break;
        case 0x62:
          this.#eventLength = reader.readLength();
          this.#eventStart = reader.position;
          reader.position += this.#eventLength;
          break;
        default:
          reader.skip();
      }
    }
  }

  /** Writes the scanned record, or counts why not. */
  #writeRecord(tally: RequestTally): void {
    const window = this.#window;
    if (this.#observedLow === 0 && this.#observedHigh === 0) {
      this.#observedLow = window.nowLow;
      this.#observedHigh = window.nowHigh;
    }
    if (this.#timeLow === 0 && this.#timeHigh === 0) {
      this.#timeLow = this.#observedLow;
      this.#timeHigh = this.#observedHigh;
    }
    const refusal = window.refusalOfNanos(this.#timeLow, this.#timeHigh);
    if (refusal !== undefined) {
      tally.reject(refusal, window.describe(refusal, nanosToMs(this.#timeLow, this.#timeHigh)));
      return;
    }
    if (!this.ledger.admitsNanos(this.#timeLow, this.#timeHigh)) return;
    if (window.refusalOfNanos(this.#observedLow, this.#observedHigh) === 'out_of_range') {
      this.#observedLow = this.#timeLow;
      this.#observedHigh = this.#timeHigh;
    }
    const { columns } = this;
    const { source } = this.#reader;
    columns.ts.pushUint64(this.#timeLow, this.#timeHigh);
    columns.observedTs.pushUint64(this.#observedLow, this.#observedHigh);
    this.#writeSeverity();
    if (this.#traceLength === 16) columns.traceId.pushRange(source, this.#traceStart);
    else columns.traceId.pushZero();
    if (this.#spanLength === 8) columns.spanId.pushRange(source, this.#spanStart);
    else columns.spanId.pushZero();
    columns.flags.pushUint8(this.#flags);
    this.#writeAttributes();
    const values = this.#values;
    values.readValue(this.#bodyStart, this.#bodyEnd);
    columns.body.pushRange(values.valueSource, values.valueStart, values.valueLength);
  }

  #writeSeverity(): void {
    const { columns } = this;
    const { source } = this.#reader;
    const textIndex = columns.severityText.dictionary.indexOf(source, this.#textStart, this.#textLength);
    columns.severityText.indexes.push(textIndex);
    const severity = this.#severity <= severityNumberMax ? this.#severity : 0;
    columns.severity.pushUint8(severity);
    let level = levelOfNumber(severity);
    if (level === 0 && textIndex !== 0) {
      level = this.#levelOfText[textIndex] ??= levelOfText(
        utf8.decode(source.bytes.subarray(this.#textStart, this.#textStart + this.#textLength)),
      );
    }
    const text = levelTexts[level];
    columns.level.pushRange(text, 0, text.bytes.length);
  }

  #writeAttributes(): void {
    const { attrs } = this.columns;
    if (this.#eventLength > 0) {
      attrs.pushKey(eventNameKey, 0, eventNameKey.bytes.length);
      attrs.values.pushRange(this.#reader.source, this.#eventStart, this.#eventLength);
    }
    this.#values.writeRow(attrs, this.#attributes);
  }
}
