/**
 * Goal: an OTLP/JSON request becomes the protobuf request that says the same, or is refused with the path of its fault.
 * Method: protobufjs decodes what the converter made; generated requests go through JSON and must come out the same.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { Lcg } from '#test/support/lcg.ts';
import {
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
  type ProtoObject,
} from '#test/support/naive/otlp-proto.ts';
import { logsRequest, metricsRequest, traceRequest } from '#test/support/otlp-generator.ts';
import { convertOtlpJson } from '#wire/otlp-json/convert-otlp-json.ts';
import { checkStructure, messageDepthMax } from '#wire/protobuf/structure.ts';
import { renderOtlpJson } from './otlp-json-text.ts';

type OtlpSignal = 'logs' | 'traces' | 'metrics';

const codecs = {
  logs: { encode: encodeLogsRequest, decode: decodeLogsRequest, generate: logsRequest },
  traces: { encode: encodeTraceRequest, decode: decodeTraceRequest, generate: traceRequest },
  metrics: { encode: encodeMetricsRequest, decode: decodeMetricsRequest, generate: metricsRequest },
} as const;

function convert(signal: OtlpSignal, text: string | Uint8Array, bytesMax = 1e6): Uint8Array {
  const bytes = Buffer.from(text as string);
  return convertOtlpJson(signal, { format: `otlp_json_${signal}`, bytes, nowUnixNano: 0n, bytesMax }).bytes;
}

/** A request with one record, span or metric. */
function wrap(signal: OtlpSignal, record: object): string {
  const names = {
    logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
    traces: ['resourceSpans', 'scopeSpans', 'spans'],
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  } as const;
  const [resources, scopes, records] = names[signal];
  return JSON.stringify({ [resources]: [{ [scopes]: [{ [records]: [record] }] }] });
}

/** Ids as hexadecimal text, and without the empty lists that protobufjs adds: what a person would compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => !(Array.isArray(item) && item.length === 0))
      .map(([key, item]) => [key, plain(item)]),
  );
}

function convertRecord(signal: OtlpSignal, record: object): unknown {
  const request = plain(codecs[signal].decode(convert(signal, wrap(signal, record)))) as Record<
    string,
    Record<string, Record<string, unknown[]>[]>[]
  >;
  const scopes = Object.values(Object.values(request)[0]![0]!)[0]!;
  return Object.values(scopes[0]!)[0]![0];
}

test('a log record with every field and every kind of value', () => {
  const values = [
    { stringValue: 'é\n"' },
    { boolValue: false },
    { intValue: '-9223372036854775808' },
    { doubleValue: -0.5 },
    { bytesValue: 'aGk=' },
    { arrayValue: { values: [{ intValue: 1 }, {}] } },
    { kvlistValue: { values: [{ key: 'k', value: { stringValue: '' } }] } },
  ];
  const record = {
    timeUnixNano: '1700000000123456789',
    observedTimeUnixNano: 1700000000000000000,
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: 'hello' },
    attributes: values.map((value, i) => ({ key: `k${i}`, value })),
    droppedAttributesCount: 1,
    flags: 1,
    traceId: '5B8EFFF798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    eventName: 'e',
  };
  expect(convertRecord('logs', record)).toEqual({
    ...record,
    observedTimeUnixNano: '1700000000000000000',
    traceId: '5b8efff798038103d269b633813fc60c',
    attributes: [
      ...values.slice(0, 4),
      { bytesValue: '6869' },
      { arrayValue: { values: [{ intValue: '1' }, {}] } },
      { kvlistValue: { values: [{ key: 'k', value: { stringValue: '' } }] } },
    ].map((value, i) => ({ key: `k${i}`, value })),
  });
});

test('a span with events, links, status and flags', () => {
  const span = {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    parentSpanId: 'eee19b7ec3c1b173',
    traceState: 'a=b',
    flags: 257,
    name: 'n',
    kind: 2,
    startTimeUnixNano: '1',
    endTimeUnixNano: '18446744073709551615',
    events: [{ timeUnixNano: '3', name: 'e', droppedAttributesCount: 2 }],
    links: [{ traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174', flags: 1 }],
    status: { code: 2, message: 'bad' },
  };
  expect(convertRecord('traces', span)).toEqual(span);
});

const exemplar = {
  timeUnixNano: '5',
  asInt: '-3',
  spanId: 'eee19b7ec3c1b174',
  filteredAttributes: [{ key: 'k' }],
};
test.each<[string, object]>([
  [
    'gauge',
    { gauge: { dataPoints: [{ timeUnixNano: '5', asInt: '9007199254740993', exemplars: [exemplar] }] } },
  ],
  ['sum', { sum: { dataPoints: [{ asDouble: 0, flags: 1 }], aggregationTemporality: 2, isMonotonic: true } }],
  [
    'histogram',
    {
      histogram: {
        dataPoints: [
          {
            count: '3',
            sum: 0,
            bucketCounts: ['1', '2'],
            explicitBounds: [0.5],
            min: 0,
            max: 2,
            exemplars: [exemplar],
          },
        ],
        aggregationTemporality: 1,
      },
    },
  ],
  [
    'exponential histogram',
    {
      exponentialHistogram: {
        dataPoints: [
          {
            count: '300',
            scale: -10,
            zeroCount: '1',
            positive: { offset: -2147483648, bucketCounts: ['300', '0'] },
            negative: { offset: 2147483647, bucketCounts: ['18446744073709551615'] },
            exemplars: [exemplar],
            min: -1,
            max: 1,
            zeroThreshold: 0.25,
          },
        ],
        aggregationTemporality: 2,
      },
    },
  ],
  [
    'summary',
    { summary: { dataPoints: [{ count: '1', sum: 5, quantileValues: [{ quantile: 0.5, value: 5 }] }] } },
  ],
])('a metric: %s', (_name, data) => {
  const metric = { name: 'm', description: 'd', unit: 's', ...data, metadata: [{ key: 'k' }] };
  expect(convertRecord('metrics', metric)).toEqual(metric);
});

test('doubles: NaN, infinities and numbers as text; integers as text, numbers, exponents', () => {
  const point = (value: object) => ({ name: 'm', gauge: { dataPoints: [value] } });
  for (const [given, read] of [
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['-1.5e3', -1500],
    [1e300, 1e300],
  ]) {
    expect(convertRecord('metrics', point({ asDouble: given }))).toEqual(point({ asDouble: read }));
  }
  const text = wrap('logs', { timeUnixNano: 0 }).replace(
    '"timeUnixNano":0',
    '"timeUnixNano":9007199254740993',
  );
  expect(JSON.stringify(decodeLogsRequest(convert('logs', text)))).toContain(
    '"timeUnixNano":"9007199254740993"',
  );
});

test('null is absent, unknown fields and original field names are ignored, order is free, keys may be escaped', () => {
  const text = `{"x": {"deep": [1, {"y": null}]}, "resourceLogs": [{
    "scopeLogs": [{"schemaUrl": "s", "logRecords": [{"time_unix_nano": "7", "bod\\u0079": {"stringValue": "b"},
      "severityText": null, "attributes": null, "traceId": "", "scopes": "ignored"}], "scope": {"name": "n"}}],
    "resource": {"attributes": [], "entityRefs": [{"type": "t", "idKeys": ["a", "b"]}]}}]}`;
  expect(plain(decodeLogsRequest(convert('logs', text)))).toEqual({
    resourceLogs: [
      {
        resource: { entityRefs: [{ type: 't', idKeys: ['a', 'b'] }] },
        scopeLogs: [{ scope: { name: 'n' }, logRecords: [{ body: { stringValue: 'b' } }], schemaUrl: 's' }],
      },
    ],
  });
});

test('an empty object is an empty request', () => expect(convert('traces', ' {} ')).toHaveLength(0));

const inRecord = 'resourceLogs[0].scopeLogs[0].logRecords[0]';
const inSpan = 'resourceSpans[0].scopeSpans[0].spans[0]';
test.each<[OtlpSignal, object | string, string]>([
  ['logs', { timeUnixNano: 'soon' }, `${inRecord}.timeUnixNano: expected an integer at byte 63`],
  ['logs', { timeUnixNano: -1 }, `${inRecord}.timeUnixNano: an integer does not fit in its field`],
  [
    'logs',
    { timeUnixNano: '18446744073709551616' },
    `${inRecord}.timeUnixNano: an integer does not fit in its field`,
  ],
  [
    'logs',
    { severityNumber: 'INFO' },
    `${inRecord}.severityNumber: an enum must be an integer in OTLP/JSON, not a name,`,
  ],
  [
    'logs',
    { severityNumber: 4294967296 },
    `${inRecord}.severityNumber: an integer does not fit in its 32 bits`,
  ],
  ['logs', { flags: -1 }, `${inRecord}.flags: an integer does not fit in its field`],
  ['logs', { body: 'text' }, `${inRecord}.body: expected an object`],
  ['logs', { severityText: 5 }, `${inRecord}.severityText: expected a string`],
  [
    'logs',
    { attributes: [{ key: 'a' }, { value: { boolValue: 1 } }] },
    `${inRecord}.attributes[1].value.boolValue: expected true or false`,
  ],
  ['logs', { attributes: [null] }, `${inRecord}.attributes[0]: expected an object`],
  ['logs', { attributes: {} }, `${inRecord}.attributes: expected an array`],
  ['logs', { body: { bytesValue: '#' } }, `${inRecord}.body.bytesValue: expected base64`],
  ['logs', { body: { doubleValue: 'much' } }, `${inRecord}.body.doubleValue: expected a number`],
  [
    'traces',
    { traceId: 'W47/95gDgQPSabYzgT/GDA==' },
    `${inSpan}.traceId: an id must be hexadecimal (not base64) in OTLP/JSON,`,
  ],
  ['traces', { spanId: 'eee19b7ec3c1b17g' }, `${inSpan}.spanId: an id must be hexadecimal`],
  ['traces', { kind: 'SPAN_KIND_SERVER' }, `${inSpan}.kind: an enum must be an integer`],
  ['logs', '[]', 'expected an object at byte 0'],
  ['logs', '', 'expected an object at byte 0'],
  ['logs', '{"resourceLogs":[{}]', 'expected "," or "}" at byte 20'],
  ['logs', '{} {}', 'expected the end of the text at byte 3'],
])('%s %j is refused', (signal, record, says) => {
  const text = typeof record === 'string' ? record : wrap(signal, record);
  expect(() => convert(signal, text)).toThrow(RefusedError);
  expect(() => convert(signal, text)).toThrow(says);
});

test('values nest as deep as every station decodes them, and not deeper', () => {
  const nested = (depth: number) =>
    wrap('logs', { body: 0 }).replace(
      ':0',
      `:${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}`,
    );
  // Request, resource, scope, record and body lie around the arrays, each of which is two messages.
  const depthMax = (messageDepthMax - 4) / 2;
  checkStructure('logs', convert('logs', nested(depthMax)));
  expect(() => convert('logs', nested(depthMax + 1))).toThrow(
    `messages are nested deeper than ${messageDepthMax}`,
  );
  expect(() => convert('logs', nested(50_000))).toThrow(RefusedError);
});

test('what becomes larger than the limit is refused with 413', () => {
  const counts = Array.from({ length: 4000 }, () => 0);
  const text = wrap('metrics', { histogram: { dataPoints: [{ bucketCounts: counts }] } });
  expect(convert('metrics', text, 40_000).length).toBeGreaterThan(32_000);
  try {
    convert('metrics', text, 20_000);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ name: 'RefusedError', status: 413 });
  }
});

const signals = ['logs', 'traces', 'metrics'] as const;

test.each(signals)('generated %s come out of JSON as they came out of protobuf', (signal) => {
  const { encode, decode, generate } = codecs[signal];
  for (let seed = 1; seed <= 40; seed++) {
    const request = decode(encode(generate(new Lcg(seed)) as ProtoObject));
    expect(decode(convert(signal, renderOtlpJson(request))), `seed ${seed}`).toEqual(request);
  }
});

test.each(signals)('%s cut off at any byte are refused, and damage is refused or read', (signal) => {
  const { decode, encode, generate } = codecs[signal];
  const bytes = Buffer.from(renderOtlpJson(decode(encode(generate(new Lcg(7), 1, 2) as ProtoObject))));
  for (let end = 0; end < bytes.length; end++) {
    expect(() => convert(signal, bytes.subarray(0, end)), `cut at ${end}`).toThrow(RefusedError);
  }
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(damage, (changes) => {
      const damaged = Buffer.from(bytes);
      for (const [at, byte] of changes) damaged[at] = byte;
      try {
        checkStructure(signal, convert(signal, damaged));
      } catch (error) {
        expect(error).toBeInstanceOf(RefusedError);
      }
    }),
    { numRuns: 2000 },
  );
});
