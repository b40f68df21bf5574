/**
 * Goal: in every format, what a sender repeats lands once: beside its first try, after it, and after a restart, when
 * only the tables remember.
 * Method: real receivers, pipeline and embedded store. Each request goes out twice at once and again after all others;
 * then everything is closed, opened on the same data, and sent once more. Rows are counted by name.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { pino } from 'pino';
import snappy from 'snappyjs';
import { afterAll, expect, test } from 'vitest';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { encodeLokiPush } from '#test/support/naive/loki-proto.ts';
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
  type ProtoObject,
} from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';

const mebibyte = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'sonde-repeated-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const nowMs = Date.now();
const nano = `${nowMs}000000`;
const asJson = { 'content-type': 'application/json' };
const asProtobuf = { 'content-type': 'application/x-protobuf' };
const isRemoteWrite2 = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
const traceId = '5b8efff798038103d269b633813fc60c';
const spanId = 'eee19b7ec3c1b174';

const logsOf = (body: string): ProtoObject => ({
  resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: nano, body: { stringValue: body } }] }] }],
});
const spansOf = (name: string, id: (hex: string) => unknown): ProtoObject => ({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              traceId: id(traceId),
              spanId: id(spanId),
              name,
              startTimeUnixNano: nano,
              endTimeUnixNano: nano,
            },
          ],
        },
      ],
    },
  ],
});
/** A delta sum beside a gauge: a repeat that were added would show in the value. */
const metricsOf = (name: string): ProtoObject => {
  const dataPoints = [{ startTimeUnixNano: `${nowMs - 1000}000000`, timeUnixNano: nano, asDouble: 5 }];
  return {
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [
              { name, gauge: { dataPoints } },
              { name: `${name}_delta`, sum: { dataPoints, aggregationTemporality: 1, isMonotonic: true } },
            ],
          },
        ],
      },
    ],
  };
};
const bytesOfHex = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const json = (value: object): string => JSON.stringify(value);

interface Format {
  readonly format: string;
  /** Rows by name. */
  readonly stores: Readonly<Record<string, string>>;
  readonly send: (receivers: Receivers) => Promise<void>;
}

/** A request by HTTP, which must be answered 2xx each time. */
function byHttp(
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
): Format['send'] {
  return async ({ httpUrl }) => {
    const response = await fetch(`${httpUrl}${path}`, {
      method: 'POST',
      headers,
      body: body as Uint8Array<ArrayBuffer>,
    });
    expect(response.ok, `${path}: ${response.status} ${await response.text()}`).toBe(true);
  };
}

function byGrpc(service: string, message: Uint8Array): Format['send'] {
  return ({ grpcAddress }) => {
    const client = new grpc.Client(grpcAddress, grpc.credentials.createInsecure());
    const path = `/opentelemetry.proto.collector.${service}/Export`;
    const same = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, same, same, Buffer.from(message), (error) => {
        client.close();
        if (error) reject(error);
        else resolve();
      });
    });
  };
}

const line = (name: string) => ({ [`logs ${name}`]: '1' });
const span = (name: string) => ({ [`spans ${name}`]: '1' });
const sample = (name: string) => ({ [`samples ${name}`]: '1 of 5' });
const metrics = (name: string) => ({ ...sample(name), ...sample(`${name}_delta_total`) });
const nativeHistogram = {
  schema: 0,
  countInt: 3,
  sum: 5,
  zeroCountInt: 1,
  positiveSpans: [{ offset: 0, length: 1 }],
  positiveDeltas: [2],
  timestamp: nowMs,
};

const formats: readonly Format[] = [
  {
    format: 'OTLP logs in protobuf',
    stores: line('by protobuf'),
    send: byHttp('/v1/logs', encodeLogsRequest(logsOf('by protobuf')), asProtobuf),
  },
  {
    format: 'OTLP spans in protobuf',
    stores: span('by protobuf'),
    send: byHttp('/v1/traces', encodeTraceRequest(spansOf('by protobuf', bytesOfHex)), asProtobuf),
  },
  {
    format: 'OTLP metrics in protobuf',
    stores: metrics('by_protobuf'),
    send: byHttp('/v1/metrics', encodeMetricsRequest(metricsOf('by_protobuf')), asProtobuf),
  },
  {
    format: 'OTLP logs in JSON',
    stores: line('by JSON'),
    send: byHttp('/v1/logs', json(logsOf('by JSON')), asJson),
  },
  {
    format: 'OTLP spans in JSON',
    stores: span('by JSON'),
    send: byHttp('/v1/traces', json(spansOf('by JSON', String)), asJson),
  },
  {
    format: 'OTLP metrics in JSON',
    stores: metrics('by_json'),
    send: byHttp('/v1/metrics', json(metricsOf('by_json')), asJson),
  },
  {
    format: 'OTLP logs over gRPC',
    stores: line('by gRPC'),
    send: byGrpc('logs.v1.LogsService', encodeLogsRequest(logsOf('by gRPC'))),
  },
  {
    format: 'OTLP spans over gRPC',
    stores: span('by gRPC'),
    send: byGrpc('trace.v1.TraceService', encodeTraceRequest(spansOf('by gRPC', bytesOfHex))),
  },
  {
    format: 'OTLP metrics over gRPC',
    stores: metrics('by_grpc'),
    send: byGrpc('metrics.v1.MetricsService', encodeMetricsRequest(metricsOf('by_grpc'))),
  },
  {
    format: 'Loki JSON',
    stores: line('by Loki JSON'),
    send: byHttp(
      '/loki/api/v1/push',
      json({ streams: [{ stream: { app: 'a' }, values: [[nano, 'by Loki JSON']] }] }),
      asJson,
    ),
  },
  {
    format: 'Loki protobuf',
    stores: line('by Loki protobuf'),
    send: byHttp(
      '/loki/api/v1/push',
      snappy.compress(
        encodeLokiPush({
          streams: [
            {
              labels: '{app="a"}',
              entries: [{ timestamp: { seconds: Math.floor(nowMs / 1000) }, line: 'by Loki protobuf' }],
            },
          ],
        }),
      ),
      asProtobuf,
    ),
  },
  {
    format: 'Zipkin JSON',
    stores: span('by zipkin'),
    send: byHttp(
      '/api/v2/spans',
      json([{ traceId, id: spanId, name: 'by zipkin', timestamp: nowMs * 1000, duration: 5 }]),
      asJson,
    ),
  },
  {
    format: 'Influx lines',
    stores: sample('by_influx_v'),
    send: byHttp('/api/v2/write?bucket=b&org=o', `by_influx v=5 ${nano}`, {}),
  },
  {
    format: 'remote write 1.0',
    stores: sample('by_remote_write_1'),
    send: byHttp(
      '/api/v1/write',
      snappy.compress(
        encodeRemoteWrite1({
          timeseries: [
            {
              labels: [{ name: '__name__', value: 'by_remote_write_1' }],
              samples: [{ value: 5, timestamp: nowMs }],
            },
          ],
        }),
      ),
      asProtobuf,
    ),
  },
  {
    format: 'remote write 2.0',
    stores: {
      ...sample('by_remote_write_2'),
      'histograms by_native_histogram': '1',
      'exemplars by_remote_write_2': '1',
    },
    send: byHttp(
      '/api/v1/write',
      snappy.compress(
        encodeRemoteWrite2({
          symbols: ['', '__name__', 'by_remote_write_2', 'by_native_histogram', 'trace_id', 'abc'],
          timeseries: [
            {
              labelsRefs: [1, 2],
              samples: [{ value: 5, timestamp: nowMs }],
              exemplars: [{ labelsRefs: [4, 5], value: 1, timestamp: nowMs }],
            },
            { labelsRefs: [1, 3], histograms: [nativeHistogram] },
          ],
        }),
      ),
      isRemoteWrite2,
    ),
  },
];

const found = `SELECT concat('logs ', body) AS name, toString(count()) AS n FROM logs WHERE body != '' GROUP BY body
  UNION ALL SELECT concat('spans ', name), toString(count()) FROM spans WHERE name != '' GROUP BY name
  UNION ALL SELECT concat('samples ', metric), concat(toString(count()), ' of ', toString(any(v))) FROM samples_head
    WHERE metric LIKE 'by%' GROUP BY metric
  UNION ALL SELECT concat('histograms ', metric), toString(count()) FROM histograms_head
    WHERE metric LIKE 'by%' GROUP BY metric
  UNION ALL SELECT concat('exemplars ', metric), toString(count()) FROM exemplars
    WHERE metric LIKE 'by%' GROUP BY metric`;

/** Starts everything on the same data, lets `work` send, and returns what is stored after it. */
async function inOneLife(work: (receivers: Receivers) => Promise<void>): Promise<Record<string, string>> {
  const store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  const pipeline = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 64 * mebibyte,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 0,
    now: Date.now,
  });
  const receivers = await startReceivers({
    sink: createDirectSink(pipeline),
    host: '127.0.0.1',
    httpPort: 0,
    grpcPort: 0,
    bodyBytesMax: 64 * mebibyte,
    inflightBytesMax: 64 * mebibyte,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end() },
    unready: () => [],
  });
  try {
    await work(receivers);
    const rows = await store.rows<{ name: string; n: string }>(found);
    return Object.fromEntries(rows.map(({ name, n }) => [name, n]));
  } finally {
    await receivers.close(5000);
    await pipeline.close();
    await store.close();
  }
}

test('a repeat in any format is accepted and stored once', { timeout: 180_000 }, async () => {
  const expected = Object.assign({}, ...formats.map(({ stores }) => stores));
  const firstLife = await inOneLife(async (receivers) => {
    for (const { send } of formats) await Promise.all([send(receivers), send(receivers)]);
    for (const { send } of formats) await send(receivers);
  });
  expect(firstLife).toEqual(expected);
  const secondLife = await inOneLife(async (receivers) => {
    for (const { send } of formats) await send(receivers);
  });
  expect(secondLife).toEqual(expected);
});
