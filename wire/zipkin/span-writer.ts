/**
 * Writes Zipkin spans as an OTLP trace request: runs of spans of one service and scope share a ResourceSpans.
 *
 * The inverse of the specification's "OpenTelemetry to Zipkin Transformation": no kind is INTERNAL, annotations are
 * events, the tag `error` and `otel.status_*` are the status, `otel.scope.*` the scope. Endpoints are named by the
 * semantic conventions: service.name, peer.service, network.local.*, network.peer.*.
 *
 *   ResourceSpans => Resource:1 ScopeSpans:2     ScopeSpans => Scope:1 Span:2*
 *   Span  => traceId:1 spanId:2 parentSpanId:4 name:5 kind:6 start:7 end:8 attributes:9* events:11* status:15
 *   Event => time:1 name:2     Status => message:2 code:3
 */
import { IntegerWords } from '../json/integer-words.ts';
import { ByteWriter, type WriterLimit } from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeFixed64Field,
  writeTextField,
  writeVarintField,
} from '../protobuf/message-writer.ts';
import type { ZipkinEndpoint, ZipkinSpan } from './zipkin-span.ts';

/** Span.SpanKind of OTLP. */
const kindInternal = 1;
const kinds = new Map([
  ['SERVER', 2],
  ['CLIENT', 3],
  ['PRODUCER', 4],
  ['CONSUMER', 5],
]);
const statusOk = 1;
const statusError = 2;

const serviceDefault = 'unknown_service';
/** Tags that are fields of OTLP. */
const fieldTags = new Set([
  'otel.status_code',
  'otel.status_description',
  'otel.scope.name',
  'otel.scope.version',
  'otel.library.name',
  'otel.library.version',
]);
/** What the OpenTelemetry Collector calls the fact that a start was made up. */
const absentStartAttribute = 'otel.zipkin.absentField.startTime';

export class SpanWriter {
  readonly writer: ByteWriter;
  readonly #nowUnixMicros: number;
  readonly #time = new IntegerWords();
  /** Whether the clock stands for a start that was not there. */
  isClocked = false;
  /** Service and scope of the ResourceSpans that is open. */
  #group = '';
  #marks: readonly [resourceSpans: number, scopeSpans: number] | undefined;

  constructor(capacityBytes: number, limit: WriterLimit, nowUnixMicros: number) {
    this.writer = new ByteWriter(capacityBytes, limit);
    this.#nowUnixMicros = nowUnixMicros;
  }

  writeSpan(span: ZipkinSpan): void {
    this.#openGroup(span);
    const { writer } = this;
    const tags = span.tags ?? {};
    const annotations = span.annotations ?? [];
    const mark = beginMessage(writer, 2);
    writeBytesField(writer, 1, Buffer.from(span.traceId, 'hex'));
    writeBytesField(writer, 2, Buffer.from(span.id, 'hex'));
    if (span.parentId) writeBytesField(writer, 4, Buffer.from(span.parentId, 'hex'));
    writeTextField(writer, 5, span.name ?? '');
    writeVarintField(writer, 6, kinds.get(span.kind ?? '') ?? kindInternal);
    // Zipkin takes 0 for absent.
    const start =
      span.timestamp ||
      annotations.reduce((first, { timestamp }) => Math.min(first || timestamp, timestamp), 0);
    if (start === 0) this.isClocked = true;
    this.#writeTime(7, start || this.#nowUnixMicros);
    this.#writeTime(8, (start || this.#nowUnixMicros) + (span.duration ?? 0));
    for (const [name, value] of Object.entries(tags)) {
      if (!fieldTags.has(name)) this.#writeText(9, name, value);
    }
    this.#writeEndpoints(span, tags);
    if (!span.timestamp) this.#writeTrue(absentStartAttribute);
    if (span.shared) this.#writeTrue('zipkin.shared');
    if (span.debug) this.#writeTrue('zipkin.debug');
    for (const { timestamp, value } of annotations) {
      const event = beginMessage(writer, 11);
      this.#writeTime(1, timestamp);
      writeTextField(writer, 2, value);
      endMessage(writer, event);
    }
    this.#writeStatus(tags);
    endMessage(writer, mark);
  }

  /** Ends the request. */
  finish(): void {
    if (this.#marks === undefined) return;
    const [resourceSpans, scopeSpans] = this.#marks;
    endMessage(this.writer, scopeSpans);
    endMessage(this.writer, resourceSpans);
    this.#marks = undefined;
  }

  #openGroup({ localEndpoint, tags }: ZipkinSpan): void {
    const service = localEndpoint?.serviceName || serviceDefault;
    const scopeName = tags?.['otel.scope.name'] ?? tags?.['otel.library.name'] ?? '';
    const scopeVersion = tags?.['otel.scope.version'] ?? tags?.['otel.library.version'] ?? '';
    const group = JSON.stringify([service, scopeName, scopeVersion]);
    if (this.#marks !== undefined && group === this.#group) return;
    this.finish();
    this.#group = group;
    const { writer } = this;
    const resourceSpans = beginMessage(writer, 1);
    const resource = beginMessage(writer, 1);
    this.#writeText(1, 'service.name', service);
    endMessage(writer, resource);
    const scopeSpans = beginMessage(writer, 2);
    if (scopeName !== '') {
      const scope = beginMessage(writer, 1);
      writeTextField(writer, 1, scopeName);
      writeTextField(writer, 2, scopeVersion);
      endMessage(writer, scope);
    }
    this.#marks = [resourceSpans, scopeSpans];
  }

  #writeEndpoints(
    { localEndpoint, remoteEndpoint }: ZipkinSpan,
    tags: Readonly<Record<string, string>>,
  ): void {
    this.#writeAddress('network.local', localEndpoint);
    this.#writeAddress('network.peer', remoteEndpoint);
    const peer = remoteEndpoint?.serviceName;
    if (peer && tags['peer.service'] === undefined) this.#writeText(9, 'peer.service', peer);
  }

  #writeAddress(prefix: string, endpoint: ZipkinEndpoint | null | undefined): void {
    const address = endpoint?.ipv4 || endpoint?.ipv6;
    if (address) this.#writeText(9, `${prefix}.address`, address);
    if (endpoint?.port) {
      const { port } = endpoint;
      this.#writeAttribute(9, `${prefix}.port`, () => writeVarintField(this.writer, 3, port));
    }
  }

  /** `error` may have any value, and Zipkin shows a span as failed for any; some bridges send "false". */
  #writeStatus(tags: Readonly<Record<string, string>>): void {
    const { error } = tags;
    const code = tags['otel.status_code']?.toUpperCase();
    const isError = code === 'ERROR' || (error !== undefined && error !== 'false');
    if (!isError && code !== 'OK') return;
    const status = beginMessage(this.writer, 15);
    const message = tags['otel.status_description'] ?? (error === 'true' ? '' : error);
    if (isError && message) writeTextField(this.writer, 2, message);
    writeVarintField(this.writer, 3, isError ? statusError : statusOk);
    endMessage(this.writer, status);
  }

  #writeTime(field: number, unixMicros: number): void {
    this.#time.setBillions(Math.floor(unixMicros / 1e6), (unixMicros % 1e6) * 1000);
    writeFixed64Field(this.writer, field, this.#time.low, this.#time.high);
  }

  // KeyValue => key:1 AnyValue:2   AnyValue => string:1 | bool:2 | int:3
  #writeAttribute(field: number, name: string, writeValue: () => void): void {
    const keyValue = beginMessage(this.writer, field);
    writeTextField(this.writer, 1, name);
    const anyValue = beginMessage(this.writer, 2);
    writeValue();
    endMessage(this.writer, anyValue);
    endMessage(this.writer, keyValue);
  }

  #writeText(field: number, name: string, value: string): void {
    this.#writeAttribute(field, name, () => writeTextField(this.writer, 1, value));
  }

  #writeTrue(name: string): void {
    this.#writeAttribute(9, name, () => writeVarintField(this.writer, 2, 1));
  }
}
