/**
 * Goal: a list of Zipkin spans becomes the OTLP request that means the same, or is refused with the path of its fault.
 * Method: a table over the mapping's rules, read by protobufjs; damage by fast-check.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { decodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';
import { convertZipkinJson } from '#wire/zipkin/convert-zipkin-json.ts';

const nowUnixNano = 1_700_000_000_000_000_999n;

function convert(json: unknown) {
  const bytes = Buffer.isBuffer(json)
    ? json
    : Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  return convertZipkinJson({ format: 'zipkin_json', bytes, nowUnixNano, bytesMax: 1e6 });
}

type Value = Record<string, string | number | boolean>;
const pairs = (attributes: readonly { key: string; value: Value }[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const hex = (bytes?: Uint8Array) => (bytes === undefined ? undefined : Buffer.from(bytes).toString('hex'));

/** The spans of a list, each with its service and scope, ids as hexadecimal text and attributes as one object. */
function spans(json: unknown) {
  const { bytes } = convert(json);
  checkStructure('traces', bytes);
  // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
  return decodeTraceRequest(bytes).resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: protobufjs objects.
    scopeSpans[0].spans.map((span: any) => ({
      service: pairs(resource.attributes)['service.name'],
      scope: scopeSpans[0].scope,
      ...span,
      traceId: hex(span.traceId),
      spanId: hex(span.spanId),
      parentSpanId: hex(span.parentSpanId),
      attributes: pairs(span.attributes),
    })),
  );
}

const minimal = { traceId: 'a', id: 'b', timestamp: 1_700_000_000_000_001, duration: 5 };

test('a span with everything', () => {
  const [span] = spans([
    {
      traceId: '5AF7183FB1D4CF5F',
      parentId: '6b221d5bc9e6496c',
      id: '352bff9a74ca9ad2',
      kind: 'CLIENT',
      name: 'get /api',
      timestamp: 1556604172355737,
      duration: 1431,
      debug: true,
      shared: true,
      localEndpoint: { serviceName: 'backend', ipv4: '192.168.99.1', port: 3306 },
      remoteEndpoint: { serviceName: 'db', ipv6: '2001:db8::c001', port: 3307 },
      annotations: [{ timestamp: 1556604172355800, value: 'ws' }],
      tags: { 'http.method': 'GET', 'otel.scope.name': 'lib', 'otel.scope.version': '2' },
      unknown: [1],
    },
  ]);
  expect(span).toMatchObject({
    service: 'backend',
    scope: { name: 'lib', version: '2' },
    traceId: '00000000000000005af7183fb1d4cf5f',
    spanId: '352bff9a74ca9ad2',
    parentSpanId: '6b221d5bc9e6496c',
    name: 'get /api',
    kind: 3,
    startTimeUnixNano: '1556604172355737000',
    endTimeUnixNano: '1556604172357168000',
    events: [{ timeUnixNano: '1556604172355800000', name: 'ws' }],
  });
  expect(span.attributes).toEqual({
    'http.method': 'GET',
    'network.local.address': '192.168.99.1',
    'network.local.port': '3306',
    'network.peer.address': '2001:db8::c001',
    'network.peer.port': '3307',
    'peer.service': 'db',
    'zipkin.shared': true,
    'zipkin.debug': true,
  });
});

test.each([
  ['SERVER', 2],
  ['CLIENT', 3],
  ['PRODUCER', 4],
  ['CONSUMER', 5],
  [undefined, 1],
  [null, 1],
])('kind %s is %i', (kind, expected) => expect(spans([{ ...minimal, kind }])[0].kind).toBe(expected));

test.each<[Record<string, string>, object | undefined]>([
  [{}, undefined],
  [{ error: '' }, { code: 2 }],
  [{ error: 'true' }, { code: 2 }],
  [{ error: 'no route' }, { code: 2, message: 'no route' }],
  [{ error: 'false' }, undefined],
  [{ 'otel.status_code': 'OK' }, { code: 1 }],
  [
    { 'otel.status_code': 'Error', 'otel.status_description': 'why' },
    { code: 2, message: 'why' },
  ],
  [{ 'otel.status_code': 'UNSET' }, undefined],
])('tags %j are the status %j', (tags, status) => {
  const expected = status === undefined ? undefined : expect.objectContaining(status);
  expect(spans([{ ...minimal, tags }])[0].status).toEqual(expected);
});

test('128-bit ids stay, neighbours of one service share a resource, no service has a name', () => {
  const list = [
    { ...minimal, traceId: '1'.repeat(32), localEndpoint: { serviceName: 'a' } },
    { ...minimal, localEndpoint: { serviceName: 'a' } },
    minimal,
    { ...minimal, localEndpoint: { serviceName: 'a' } },
  ];
  expect(spans(list).map(({ service }: { service: string }) => service)).toEqual([
    'a',
    'a',
    'unknown_service',
    'a',
  ]);
  expect(spans(list)[0].traceId).toBe('1'.repeat(32));
  expect(decodeTraceRequest(convert(list).bytes).resourceSpans).toHaveLength(3);
  expect(convert([]).bytes).toHaveLength(0);
});

test('without a timestamp the first annotation stands in, then the clock, which is told', () => {
  const annotations = [9, 7].map((timestamp) => ({ timestamp, value: 'x' }));
  const timeless = { traceId: 'a', id: 'b', duration: 2 };
  expect(convert([{ ...timeless, annotations }]).isClocked).toBe(false);
  const [first] = spans([{ ...timeless, annotations }]);
  expect(first).toMatchObject({ startTimeUnixNano: '7000', endTimeUnixNano: '9000' });
  expect(first.attributes).toEqual({ 'otel.zipkin.absentField.startTime': true });
  expect(convert([minimal, timeless]).isClocked).toBe(true);
  expect(spans([timeless])[0]).toMatchObject({
    startTimeUnixNano: '1700000000000000000',
    endTimeUnixNano: '1700000000000002000',
  });
});

test.each([
  ['{}', 'expected an array at byte 0'],
  ['', 'expected an array at byte 0'],
  [[minimal, 5], '[1]: Invalid input: expected object, received number'],
  [[{ ...minimal, traceId: undefined }], '[0].traceId: Invalid input: expected string, received undefined'],
  [[minimal, { ...minimal, id: '0000' }], '[1].id: an id must not be zero'],
  [[{ ...minimal, id: 'x' }], '[0].id: expected 1 to 16 hexadecimal digits'],
  [[{ ...minimal, traceId: 'a'.repeat(33) }], '[0].traceId: expected 1 to 32 hexadecimal digits'],
  [[{ ...minimal, timestamp: '1' }], '[0].timestamp: Invalid input: expected number, received string'],
  [[{ ...minimal, timestamp: 1e20 }], '[0].timestamp: Too big'],
  [
    [
      {
        ...minimal,
        annotations: [
          { timestamp: 1, value: 'a' },
          { timestamp: -1, value: 'a' },
        ],
      },
    ],
    '[0].annotations[1].timestamp: Too small',
  ],
  [[{ ...minimal, tags: { a: 1 } }], '[0].tags.a: Invalid input: expected string, received number'],
  [`[${'['.repeat(5000)}`, '[0]: JSON is nested deeper than 256'],
])('%j is refused', (json, says) => {
  expect(() => convert(json)).toThrow(RefusedError);
  expect(() => convert(json)).toThrow(says);
});

test('a span of megabytes is refused before it is parsed; many annotations are no trouble', () => {
  expect(() => convert(JSON.stringify([{ ...minimal, name: 'x'.repeat(5_000_000) }]))).toThrow(
    '[0]: a span is longer than 4194304 bytes',
  );
  const annotations = Array.from({ length: 120_000 }, () => ({ timestamp: 1, value: '' }));
  expect(() => convert(JSON.stringify([{ ...minimal, timestamp: undefined, annotations }]))).toThrow(
    'the request takes more than 1000000 bytes when it is converted',
  );
});

test('a list cut off or damaged anywhere is read or refused', () => {
  const bytes = Buffer.from(
    JSON.stringify([{ ...minimal, kind: 'SERVER', tags: { error: 'x', é: '"' }, annotations: [] }]),
  );
  for (let end = 0; end < bytes.length; end++)
    expect(() => convert(bytes.subarray(0, end))).toThrow(RefusedError);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, byte] of changes) damaged[at] = byte;
        try {
          checkStructure('traces', convert(damaged).bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
