/**
 * Goal: what OpenTelemetry's own Node SDK sends as JSON, protobuf or Zipkin is the same telemetry to us.
 * Method: each real exporter sends the same SDK objects to real receivers; protobufjs reads what arrived.
 */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPLogExporter as LogsAsJson } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogsAsProtobuf } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as MetricsAsJson } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as MetricsAsProtobuf } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as TracesAsJson } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TracesAsProtobuf } from '@opentelemetry/exporter-trace-otlp-proto';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  AggregationType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { type RecordingReceivers, startRecordingReceivers } from './recording-receivers.ts';

let receivers: RecordingReceivers;
beforeAll(async () => {
  receivers = await startRecordingReceivers();
});
afterAll(() => receivers.close(1000));
beforeEach(() => receivers.reset());

const resource = resourceFromAttributes({
  'service.name': 'sdk',
  ratio: 0.5,
  list: ['a', 'b'],
  flag: true,
  big: 2 ** 40,
});

interface Exporter<Item> {
  export(items: Item, done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

/** Sends by each exporter, and returns what the receivers made of each. */
async function sendByAll<Item>(items: Item, exporters: readonly Exporter<Item>[]): Promise<Uint8Array[]> {
  for (const exporter of exporters) {
    const result = await new Promise<{ code: number; error?: Error }>((resolve) =>
      exporter.export(items, resolve),
    );
    expect(result.error).toBe(undefined);
    await exporter.shutdown();
  }
  expect(receivers.received).toHaveLength(exporters.length);
  return receivers.received.map(({ bytes }) => new Uint8Array(bytes));
}

const url = (path: string) => ({ url: `${receivers.httpUrl}${path}` });

function makeSpans() {
  const memory = new InMemorySpanExporter();
  const provider = new TracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
  });
  const tracer = provider.getTracer('lib', '1.2');
  const other = tracer.startSpan('linked');
  const span = tracer.startSpan('GET /é', {
    kind: SpanKind.CLIENT,
    attributes: { 'http.status_code': 200, ok: true, ratio: 0.25, tags: ['x', 'y'] },
    links: [{ context: other.spanContext(), attributes: { why: 'test' } }],
  });
  span.addEvent('retry', { attempt: 2 });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'timed out' });
  span.end();
  other.end();
  return memory.getFinishedSpans();
}

test('spans: JSON is what protobuf is', async () => {
  const [json, protobuf] = await sendByAll(makeSpans(), [
    new TracesAsJson(url('/v1/traces')),
    new TracesAsProtobuf(url('/v1/traces')),
  ]);
  expect(decodeTraceRequest(json!)).toEqual(decodeTraceRequest(protobuf!));
  expect(JSON.stringify(decodeTraceRequest(json!))).toContain('"GET /é"');
});

test('spans by Zipkin keep what Zipkin can say', async () => {
  const spans = makeSpans();
  const [protobuf, zipkin] = await sendByAll(spans, [
    new TracesAsProtobuf(url('/v1/traces')),
    new ZipkinExporter(url('/api/v2/spans')),
  ]);
  const read = (bytes: Uint8Array) =>
    // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
    decodeTraceRequest(bytes).resourceSpans.flatMap(({ resource: { attributes }, scopeSpans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
      scopeSpans[0].spans.map((span: any) => ({
        // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
        service: attributes.find(({ key }: any) => key === 'service.name').value.stringValue,
        ids: [span.traceId, span.spanId].map((id) => Buffer.from(id).toString('hex')),
        name: span.name,
        kind: span.kind,
        status: span.status?.code ?? 0,
        message: span.status?.message ?? '',
        // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
        events: span.events.map(({ name }: any) => name),
        startMicros: BigInt(span.startTimeUnixNano) / 1000n,
      })),
    );
  expect(read(zipkin!)).toEqual(read(protobuf!));
});

test('log records: JSON is what protobuf is', async () => {
  const memory = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: memory })],
  });
  const logger = provider.getLogger('lib');
  logger.emit({ body: 'plain', severityNumber: 9, severityText: 'INFO', timestamp: 1_700_000_000_123 });
  logger.emit({
    body: { nested: { list: [1, 'two', false, null] } },
    attributes: { bytes: new Uint8Array([1, 255]) },
  });
  await provider.forceFlush();
  const [json, protobuf] = await sendByAll(memory.getFinishedLogRecords(), [
    new LogsAsJson(url('/v1/logs')),
    new LogsAsProtobuf(url('/v1/logs')),
  ]);
  expect(decodeLogsRequest(json!)).toEqual(decodeLogsRequest(protobuf!));
  expect(JSON.stringify(decodeLogsRequest(json!))).toContain('"plain"');
});

test('metrics of every kind: JSON is what protobuf is', async () => {
  const memory = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: memory, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [
      {
        instrumentName: 'exponential',
        aggregation: {
          type: AggregationType.EXPONENTIAL_HISTOGRAM,
          options: { maxSize: 20, recordMinMax: true },
        },
      },
    ],
  });
  const meter = provider.getMeter('lib');
  meter.createCounter('counter').add(2 ** 40, { a: 'b' });
  meter.createUpDownCounter('up_down').add(-0.5);
  meter.createObservableGauge('gauge').addCallback((result) => result.observe(-3));
  const histogram = meter.createHistogram('histogram');
  const exponential = meter.createHistogram('exponential');
  for (const value of [0, 0.001, 5, 12_345]) {
    histogram.record(value);
    exponential.record(value);
  }
  await provider.forceFlush();
  const [json, protobuf] = await sendByAll(memory.getMetrics()[0]!, [
    new MetricsAsJson(url('/v1/metrics')),
    new MetricsAsProtobuf(url('/v1/metrics')),
  ]);
  expect(decodeMetricsRequest(json!)).toEqual(decodeMetricsRequest(protobuf!));
  for (const kind of ['"gauge"', '"sum"', '"histogram"', '"exponentialHistogram"', '"zeroCount"']) {
    expect(JSON.stringify(decodeMetricsRequest(json!))).toContain(kind);
  }
  await provider.shutdown();
});
