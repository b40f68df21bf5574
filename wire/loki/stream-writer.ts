/**
 * Writes pushed streams as an OTLP logs request: one ResourceLogs per stream, one LogRecord per entry.
 *
 *   {app="shop", level="warn"}, entry 'hi' with user="7"
 *     ->  resource: service.name=shop app=shop level=warn; record: body 'hi', severity WARN, attributes: user=7
 *
 * Labels become resource attributes under their own names, except service_name, which is service.name. Structured
 * metadata becomes record attributes, except a trace_id and span_id that are such ids: OTLP has fields for them.
 *
 *   ResourceLogs => Resource:1 ScopeLogs:2     ScopeLogs => LogRecord:2*
 *   LogRecord => time:1 severityNumber:2 severityText:3 body:5 attributes:6* traceId:9 spanId:10
 */
import { RejectionTally } from '../conversion/conversion.ts';
import { ByteWriter, type WriterLimit } from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeFixed64Field,
  writeTextField,
  writeVarintField,
} from '../protobuf/message-writer.ts';
import { labelsFault, type StreamLabels } from './label-text.ts';

/** Loki's `discover_service_name`, in its order: the label that names the service where service_name is not there. */
const serviceLabels = [
  'service_name',
  'service',
  'app',
  'application',
  'app_name',
  'name',
  'app_kubernetes_io_name',
  'container',
  'container_name',
  'k8s_container_name',
  'component',
  'workload',
  'job',
  'k8s_job_name',
];
const serviceDefault = 'unknown_service';

/** The names that a level goes by, the surest first. */
const levelNames = ['detected_level', 'level', 'severity', 'severity_text', 'lvl', 'log.level'];

/** The first number of each range of OTLP's severities. */
const severityNumbers = new Map(
  Object.entries({
    1: ['trace', 'trc'],
    5: ['debug', 'dbg'],
    9: ['info', 'inf', 'information', 'notice'],
    13: ['warn', 'warning', 'wrn'],
    17: ['error', 'err'],
    21: ['fatal', 'critical', 'crit', 'alert', 'emerg', 'panic'],
  }).flatMap(([number, words]) => words.map((word) => [word, Number(number)] as const)),
);

export class StreamWriter {
  readonly writer: ByteWriter;
  readonly tally = new RejectionTally();
  /** Marks of the messages that are open. */
  #resourceLogs = 0;
  #scopeLogs = 0;
  #record = 0;
  #streamLevel = '';
  #recordLevel = '';
  #recordLevelRank = 0;

  constructor(capacityBytes: number, limit: WriterLimit) {
    this.writer = new ByteWriter(capacityBytes, limit);
  }

  /** Starts a stream, and returns ''; or returns why its labels are not valid: nothing may be written of it then. */
  beginStream(labels: StreamLabels): string {
    const fault = labelsFault(labels);
    if (fault !== '') return fault;
    const values = new Map(labels.filter(([, value]) => value !== ''));
    const serviceLabel = serviceLabels.find((name) => values.has(name));
    const { writer } = this;
    this.#resourceLogs = beginMessage(writer, 1);
    const resource = beginMessage(writer, 1);
    this.#writeKeyValue(1, 'service.name', values.get(serviceLabel ?? '') ?? serviceDefault);
    for (const [name, value] of values) if (name !== 'service_name') this.#writeKeyValue(1, name, value);
    endMessage(writer, resource);
    this.#scopeLogs = beginMessage(writer, 2);
    this.#streamLevel = values.get(levelNames.find((name) => values.has(name)) ?? '') ?? '';
    return '';
  }

  endStream(): void {
    endMessage(this.writer, this.#scopeLogs);
    endMessage(this.writer, this.#resourceLogs);
  }

  /** Starts a record; its body comes next. */
  beginRecord(timeLow: number, timeHigh: number): void {
    this.#record = beginMessage(this.writer, 2);
    writeFixed64Field(this.writer, 1, timeLow, timeHigh);
    this.#recordLevel = this.#streamLevel;
    this.#recordLevelRank = levelNames.length;
  }

  /** The line, as UTF-8. */
  writeBody(line: Uint8Array): void {
    const body = beginMessage(this.writer, 5);
    writeBytesField(this.writer, 1, line);
    endMessage(this.writer, body);
  }

  addMetadata(name: string, value: string): void {
    const rank = levelNames.indexOf(name.toLowerCase());
    if (rank !== -1 && rank < this.#recordLevelRank && value !== '') {
      this.#recordLevel = value;
      this.#recordLevelRank = rank;
    }
    if (name === 'trace_id' && /^[0-9a-fA-F]{32}$/.test(value)) {
      writeBytesField(this.writer, 9, Buffer.from(value, 'hex'));
    } else if (name === 'span_id' && /^[0-9a-fA-F]{16}$/.test(value)) {
      writeBytesField(this.writer, 10, Buffer.from(value, 'hex'));
    } else this.#writeKeyValue(6, name, value);
  }

  endRecord(): void {
    if (this.#recordLevel !== '') {
      const number = severityNumbers.get(this.#recordLevel.toLowerCase());
      if (number !== undefined) writeVarintField(this.writer, 2, number);
      writeTextField(this.writer, 3, this.#recordLevel);
    }
    endMessage(this.writer, this.#record);
  }

  // KeyValue => key:1 AnyValue:2   AnyValue => string:1
  #writeKeyValue(field: number, name: string, value: string): void {
    const keyValue = beginMessage(this.writer, field);
    writeTextField(this.writer, 1, name);
    const anyValue = beginMessage(this.writer, 2);
    writeTextField(this.writer, 1, value);
    endMessage(this.writer, anyValue);
    endMessage(this.writer, keyValue);
  }
}
