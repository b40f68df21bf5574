/**
 * A few log records and spans whose every column is known, sent the way senders do: OTLP bytes through the real
 * pipeline. A shop calls a payment service, which fails; a mailer answers somebody who sends no spans.
 */
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import type { Store } from '#store/store.ts';
import { encodeLogsRequest, encodeTraceRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';
import type { Signal } from '#wire/envelope.ts';

/** Of the log records, in order of time; the last one is another tenant's. */
export const bodies = {
  placed: 'order 17 placed by alice',
  failed: 'Failed to fetch cart',
  full: 'level=warn msg="disk almost full"',
  slow: 'payment slow',
  signedIn: 'signed in',
  others: 'of another tenant',
} as const;

export const baseMs = Date.parse('2026-11-20T10:00:00Z');
/** Range of a picker that has all of it. */
export const fromMs = baseMs - 60_000;
export const toMs = baseMs + 600_000;

export const checkout = '0af7651916cd43dd8448eb211c80319c';
export const mail = '1bf7651916cd43dd8448eb211c80319d';
export const spanIds = {
  cart: '00f067aa0ba902b1',
  post: '00f067aa0ba902b2',
  charge: '00f067aa0ba902b3',
  mail: '00f067aa0ba902b4',
} as const;

const nanos = (seconds: number): bigint => BigInt(baseMs) * 1_000_000n + BigInt(Math.round(seconds * 1e9));
const hex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits, 'hex'));
const attributes = (values: Readonly<Record<string, string>>): ProtoObject[] =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
const resource = (service: string): ProtoObject => ({
  attributes: attributes({
    'service.name': service,
    'service.version': '1.2',
    'k8s.pod.name': `${service}-0`,
  }),
});

interface Line {
  readonly at: number;
  readonly body: string;
  readonly fields?: ProtoObject;
  readonly attrs?: Readonly<Record<string, string>>;
}

function logsOf(service: string, lines: readonly Line[]): ProtoObject {
  const logRecords = lines.map(({ at, body, fields, attrs = {} }) => ({
    timeUnixNano: nanos(at),
    body: { stringValue: body },
    attributes: attributes(attrs),
    ...fields,
  }));
  return {
    resource: resource(service),
    scopeLogs: [{ scope: { name: `${service}-logger`, version: '3' }, logRecords }],
  };
}

const logs = encodeLogsRequest({
  resourceLogs: [
    logsOf('shop', [
      {
        at: 0.123456789,
        body: bodies.placed,
        fields: {
          severityNumber: 9,
          severityText: 'INFO',
          traceId: hex(checkout),
          spanId: hex(spanIds.cart),
        },
        attrs: { 'user.id': 'u1' },
      },
      {
        at: 30,
        body: bodies.failed,
        fields: {
          severityNumber: 17,
          severityText: 'ERROR',
          traceId: hex(checkout),
          spanId: hex(spanIds.post),
        },
        attrs: { 'user.id': 'u2', 'error.message': 'Failed to fetch', 'http.status': '502' },
      },
      // As an agent sends a container's line: its severity is found in it.
      { at: 70, body: bodies.full },
    ]),
    logsOf('pay', [
      { at: 75, body: bodies.slow, fields: { severityText: 'Warning' } },
      { at: 130, body: bodies.signedIn, fields: { severityNumber: 9, eventName: 'user.login' } },
    ]),
  ],
});

const othersLogs = encodeLogsRequest({
  resourceLogs: [logsOf('secret', [{ at: 0, body: bodies.others }])],
});

interface Call {
  readonly id: string;
  readonly parent?: string;
  readonly trace?: string;
  readonly at: number;
  readonly seconds: number;
  readonly name: string;
  readonly kind: number;
  readonly fields?: ProtoObject;
  readonly attrs?: Readonly<Record<string, string>>;
}

function spansOf(service: string, calls: readonly Call[]): ProtoObject {
  const spans = calls.map(
    ({ id, parent, trace = checkout, at, seconds, name, kind, fields, attrs = {} }) => ({
      traceId: hex(trace),
      spanId: hex(id),
      ...(parent === undefined ? {} : { parentSpanId: hex(parent) }),
      name,
      kind,
      startTimeUnixNano: nanos(at),
      endTimeUnixNano: nanos(at + seconds),
      attributes: attributes(attrs),
      ...fields,
    }),
  );
  return { resource: resource(service), scopeSpans: [{ scope: { name: 'tracer', version: '4' }, spans }] };
}

const failure: ProtoObject = {
  status: { code: 2, message: 'card declined' },
  traceState: 'a=b',
  events: [
    {
      timeUnixNano: nanos(29.7),
      name: 'exception',
      attributes: attributes({ 'exception.message': 'no funds' }),
    },
  ],
  links: [{ traceId: hex(mail), spanId: hex(spanIds.mail), attributes: attributes({ why: 'receipt' }) }],
};

const spans = encodeTraceRequest({
  resourceSpans: [
    spansOf('shop', [
      { id: spanIds.cart, at: 29, seconds: 2, name: 'GET /cart', kind: 2, attrs: { 'http.route': '/cart' } },
      {
        id: spanIds.post,
        parent: spanIds.cart,
        at: 29.25,
        seconds: 1,
        name: 'POST /charge',
        kind: 3,
        attrs: { 'http.route': '/charge' },
      },
    ]),
    spansOf('pay', [
      {
        id: spanIds.charge,
        parent: spanIds.post,
        at: 29.5,
        seconds: 0.5,
        name: 'charge',
        kind: 2,
        fields: failure,
      },
    ]),
    spansOf('mail', [
      {
        id: spanIds.mail,
        parent: '00f067aa0ba902ff',
        trace: mail,
        at: 60,
        seconds: 0.25,
        name: 'send',
        kind: 5,
      },
    ]),
  ],
});

const requests: readonly { readonly signal: Signal; readonly tenant: string; readonly bytes: Uint8Array }[] =
  [
    { signal: 'logs', tenant: 'default', bytes: logs },
    { signal: 'logs', tenant: 'other', bytes: othersLogs },
    { signal: 'traces', tenant: 'default', bytes: spans },
  ];

/** Stores all of it in `store`, which has the schema. */
export async function ingestKnownTelemetry(store: Store, hasShards: boolean): Promise<void> {
  const pipeline = createPipeline({
    store,
    hasShards,
    workers: 1,
    inflightBytesMax: 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 0,
    now: () => toMs,
  });
  try {
    const sink = createDirectSink(pipeline);
    await Promise.all(
      requests.map((request) =>
        sink({ ...request, batchId: `${request.signal}:${request.tenant}`, key: '' }),
      ),
    );
  } finally {
    await pipeline.close();
  }
}
