/**
 * Goal: every push protocol is answered in its own words, and one format's bytes are never taken for another's.
 * Method: real sockets and a sink that records; a row per request that people get wrong.
 */
import { gzipSync } from 'node:zlib';
import snappy from 'snappyjs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { encodeLokiPush } from '#test/support/naive/loki-proto.ts';
import { decodeLogsRequest, decodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { inlineBytesMax } from '#wire/conversion/converter-pool.ts';
import { mebibyte, type RecordingReceivers, startRecordingReceivers } from './recording-receivers.ts';

let receivers: RecordingReceivers;
beforeAll(async () => {
  receivers = await startRecordingReceivers();
});
afterAll(() => receivers.close(1000));
beforeEach(() => receivers.reset());

const asJson = { 'content-type': 'application/json' };
const asProtobuf = { 'content-type': 'application/x-protobuf' };
const otlpLogs = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5"}]}]}]}';
const lokiLogs = '{"streams":[{"stream":{"app":"a"},"values":[["5","x"]]}]}';
const zipkinSpans = '[{"traceId":"a","id":"b","timestamp":5}]';
const partly = async () => ({ accepted: 3, rejected: 2, reason: 'too old' });

test.each([
  { path: '/v1/logs', body: otlpLogs, headers: asJson, signal: 'logs', status: 200, text: '{}' },
  {
    path: '/v1/logs',
    body: otlpLogs,
    headers: { 'content-type': 'Application/JSON; charset=UTF-8' },
    signal: 'logs',
    status: 200,
    text: '{}',
  },
  { path: '/loki/api/v1/push', body: lokiLogs, headers: asJson, signal: 'logs', status: 204, text: '' },
  { path: '/api/prom/push', body: lokiLogs, headers: asJson, signal: 'logs', status: 204, text: '' },
  { path: '/api/v2/spans', body: zipkinSpans, headers: asJson, signal: 'traces', status: 202, text: '' },
  {
    path: '/api/v2/write?precision=s',
    body: 'm a=1 5',
    headers: {},
    signal: 'remote_write',
    status: 204,
    text: '',
  },
  { path: '/write?db=d', body: 'm a=1 5', headers: {}, signal: 'remote_write', status: 204, text: '' },
])(
  '$path takes $headers.content-type and answers $status',
  async ({ path, body, headers, signal, status, text }) => {
    expect(await receivers.post(path, body, { ...headers, 'x-scope-orgid': 'team-a' })).toMatchObject({
      status,
      text,
    });
    expect(receivers.received).toMatchObject([{ signal, tenant: 'team-a' }]);
    const gzipped = { ...headers, 'content-encoding': 'gzip' };
    expect((await receivers.post(path, gzipSync(body), gzipped)).status).toBe(status);
    expect(receivers.received[1]!.bytes).toEqual(receivers.received[0]!.bytes);
  },
);

test('Loki protobuf is snappy whether a header says so or not, and may come without a type', async () => {
  const push = encodeLokiPush({
    streams: [{ labels: '{a="b"}', entries: [{ timestamp: { seconds: 5 }, line: 'x' }] }],
  });
  for (const headers of [asProtobuf, { ...asProtobuf, 'content-encoding': 'snappy' }, {}]) {
    const body = new Blob([snappy.compress(push) as Uint8Array<ArrayBuffer>]);
    const response = await fetch(`${receivers.httpUrl}/loki/api/v1/push`, { method: 'POST', headers, body });
    expect(response.status).toBe(204);
  }
  expect(receivers.received).toHaveLength(3);
  expect(decodeLogsRequest(receivers.received[2]!.bytes).resourceLogs).toHaveLength(1);
});

test.each([
  [
    '/v1/logs',
    asJson,
    otlpLogs,
    200,
    '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}',
  ],
  [
    '/v1/traces',
    asJson,
    '{"resourceSpans":[{}]}',
    200,
    '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}',
  ],
  [
    '/v1/metrics',
    asJson,
    '{"resourceMetrics":[{}]}',
    200,
    '{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"too old"}}',
  ],
  ['/loki/api/v1/push', asJson, lokiLogs, 400, 'too old\n'],
  ['/api/v2/spans', asJson, zipkinSpans, 202, 'too old\n'],
  ['/api/v2/write', {}, 'm a=1 5', 400, '{"code":"invalid","message":"partial write: too old (refused: 2)"}'],
  ['/write', {}, 'm a=1 5', 400, '{"error":"partial write: too old (refused: 2)"}'],
])('%s: what the store refused is told', async (path, headers, body, status, text) => {
  receivers.answer = partly;
  expect(await receivers.post(path, body, headers as Record<string, string>)).toMatchObject({ status, text });
});

test('OTLP in JSON is answered in JSON, errors too', async () => {
  for (const body of [otlpLogs, 'x']) {
    const { headers } = await receivers.post('/v1/logs', body, asJson);
    expect(headers.get('content-type')).toMatch(/^application\/json\b/);
  }
});

test('what the converter and the store refused is told together', async () => {
  receivers.answer = partly;
  const body = 'm a=1 5\nbad\nm s="text" 5';
  const reply = await receivers.post('/api/v2/write', body);
  expect(JSON.parse(reply.text)).toEqual({
    code: 'invalid',
    message: "partial write: line 2: unable to parse 'bad': missing fields; too old (refused: 3)",
  });
  expect(reply.headers.get('x-sonde-ignored-fields')).toBe('1');
});

const quota = new UnavailableError('over its quota', { status: 429, retryAfterMs: 1500 });
const full = new UnavailableError('full', { retryAfterMs: 2500 });
test.each([
  ['/v1/logs', asJson, otlpLogs, '{"code":8,"message":"over its quota"}', '{"code":14,"message":"full"}'],
  ['/loki/api/v1/push', asJson, lokiLogs, 'over its quota\n', 'full\n'],
  ['/api/v2/spans', asJson, zipkinSpans, 'over its quota\n', 'full\n'],
  [
    '/api/v2/write',
    {},
    'm a=1 5',
    '{"code":"too many requests","message":"over its quota"}',
    '{"code":"unavailable","message":"full"}',
  ],
  ['/write', {}, 'm a=1 5', '{"error":"over its quota"}', '{"error":"full"}'],
])(
  '%s: a quota is 429, a full pipeline 503, both with Retry-After',
  async (path, headers, body, quotaText, fullText) => {
    receivers.answer = () => Promise.reject(quota);
    const limited = await receivers.post(path, body, headers as Record<string, string>);
    expect(limited).toMatchObject({ status: 429, text: quotaText });
    expect(limited.headers.get('retry-after')).toBe('2');
    receivers.answer = () => Promise.reject(full);
    const later = await receivers.post(path, body, headers as Record<string, string>);
    expect(later).toMatchObject({ status: 503, text: fullText });
    expect(later.headers.get('retry-after')).toBe('3');
  },
);

test.each([
  [
    '/v1/logs',
    asJson,
    '{"resourceLogs":[{"scopeLogs":1}]}',
    400,
    '{"code":3,"message":"resourceLogs[0].scopeLogs: expected an array at byte 30"}',
  ],
  ['/v1/logs', asJson, '', 400, '{"code":3,"message":"expected an object at byte 0"}'],
  [
    '/v1/logs',
    { ...asJson, 'content-encoding': 'br' },
    'x',
    415,
    '{"code":3,"message":"content-encoding \\"br\\" is not supported: send gzip, zstd, deflate, snappy, identity"}',
  ],
  ['/loki/api/v1/push', asJson, '{"streams":5}', 400, 'expected an array at byte 11\n'],
  [
    '/loki/api/v1/push',
    { 'content-type': 'text/csv' },
    'x',
    415,
    'content-type "text/csv" is not supported on /loki/api/v1/push: send application/x-protobuf or application/json\n',
  ],
  ['/api/v2/spans', asJson, '[{}]', 400, '[0].traceId: Invalid input: expected string, received undefined\n'],
  [
    '/api/v2/spans',
    asProtobuf,
    'x',
    415,
    'content-type "application/x-protobuf" is not supported on /api/v2/spans: send application/json\n',
  ],
  [
    '/api/v2/write?precision=d',
    {},
    'm a=1',
    400,
    '{"code":"invalid","message":"precision \\"d\\" is not known: use ns, us, ms, s, m or h"}',
  ],
  [
    '/write',
    { 'x-scope-orgid': 'a/b' },
    'm a=1',
    400,
    '{"error":"the tenant in X-Scope-OrgID has a character that is not allowed: \\"a/b\\""}',
  ],
])('%s %o %s is %i', async (path, headers, body, status, text) => {
  expect(await receivers.post(path, body, headers as Record<string, string>)).toMatchObject({ status, text });
  expect(receivers.received).toEqual([]);
});

test('bodies over the limit are 413 in the words of each protocol, also when they become so', async () => {
  const large = Buffer.alloc(6 * mebibyte, ' ');
  const says =
    'the body is larger than 5242880 bytes after decompression: send smaller batches, or raise receive.body_bytes_max';
  const plain = await receivers.post('/v1/logs', large, asJson);
  expect(plain.status).toBe(413);
  expect(JSON.parse(plain.text)).toEqual({ code: 8, message: says });
  const bomb = await receivers.post('/loki/api/v1/push', gzipSync(large), {
    ...asJson,
    'content-encoding': 'gzip',
  });
  expect(bomb).toMatchObject({ status: 413, text: `${says}\n` });
  const tags = Array.from({ length: 200 }, (_, i) => `t${i}=${i}`).join(',');
  const fields = Array.from({ length: 60_000 }, (_, i) => `f${i}=1`).join(',');
  const grown = await receivers.post('/api/v2/write', `m,${tags} ${fields} 5`);
  expect(grown.status).toBe(413);
  expect(JSON.parse(grown.text)).toMatchObject({ code: 'request too large' });
  expect(receivers.received).toEqual([]);
});

test('other methods are 405 and told which one to use', async () => {
  for (const path of [
    '/v1/logs',
    '/api/v1/write',
    '/loki/api/v1/push',
    '/api/v2/spans',
    '/api/v2/write',
    '/write',
  ]) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await fetch(`${receivers.httpUrl}${path}`, { method });
      expect(response.status, `${method} ${path}`).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    }
  }
  const reply = await fetch(`${receivers.httpUrl}/write`, { method: 'PUT', body: 'm a=1' });
  expect(await reply.json()).toEqual({ error: 'PUT is not a method of /write: use POST' });
});

test('an empty body is a request without records in protobuf, and nothing is stored for it', async () => {
  for (const [path, status] of [
    ['/v1/logs', 200],
    ['/api/v1/write', 204],
    ['/loki/api/v1/push', 204],
  ] as const) {
    expect((await receivers.post(path, '', asProtobuf)).status).toBe(status);
  }
  expect((await receivers.post('/v1/traces', '{}', asJson)).status).toBe(200);
  expect((await receivers.post('/api/v2/spans', '[]', asJson)).status).toBe(202);
  expect((await receivers.post('/write', '# nothing\n')).status).toBe(204);
  expect(receivers.received).toEqual([]);
});

test('equal bytes are one batch in one format, another in another, and a sender may name its own', async () => {
  const ids = async (path: string, body: string, headers: Record<string, string> = asJson) => {
    receivers.received = [];
    await receivers.post(path, body, headers);
    return receivers.received[0]!.batchId;
  };
  const first = await ids('/v1/logs', otlpLogs);
  expect(await ids('/v1/logs', otlpLogs)).toBe(first);
  expect(first).toMatch(/^sha256-/);
  const both = '{"resourceLogs":[{}],"resourceSpans":[{}]}';
  expect(await ids('/v1/logs', both)).not.toBe(await ids('/v1/traces', both));
  expect(await ids('/loki/api/v1/push', lokiLogs)).toBe(await ids('/api/prom/push', lokiLogs));
  expect(await ids('/write', 'm a=1 5', {})).toBe(await ids('/api/v2/write', 'm a=1 5', {}));
  expect(await ids('/write', 'm a=1 5', {})).not.toBe(await ids('/write?precision=s', 'm a=1 5', {}));
  expect(await ids('/write', 'm a=1 5', {})).not.toBe(await ids('/write?db=x', 'm a=1 5', {}));
  expect(await ids('/v1/logs', otlpLogs, { ...asJson, 'x-sonde-batch-id': 'own-1' })).toBe('own-1');
  expect((await receivers.post('/v1/logs', otlpLogs, { ...asJson, 'x-sonde-batch-id': 'a b' })).status).toBe(
    400,
  );
});

test('where the clock stands in for times, equal bytes are two batches, unless the sender names them', async () => {
  for (const [path, body] of [
    ['/write', 'm a=1'],
    ['/api/v2/spans', '[{"traceId":"a","id":"b"}]'],
  ] as const) {
    receivers.reset();
    await receivers.post(path, body, asJson);
    await receivers.post(path, body, asJson);
    await receivers.post(path, body, { ...asJson, 'x-sonde-batch-id': 'own-2' });
    const [first, second, own] = receivers.received.map(({ batchId }) => batchId);
    expect(first).toMatch(/^clock-/);
    expect(second).not.toBe(first);
    expect(own).toBe('own-2');
  }
});

test('large bodies are converted in threads, to the same bytes, and refused in the same words', async () => {
  const spans = (count: number) =>
    JSON.stringify(
      Array.from({ length: count }, (_, i) => ({ traceId: 'a', id: String(i + 1), timestamp: 5 + i })),
    );
  const large = spans(20_000);
  expect(large.length).toBeGreaterThan(2 * inlineBytesMax);
  expect((await receivers.post('/api/v2/spans', large, asJson)).status).toBe(202);
  const { scopeSpans } = decodeTraceRequest(receivers.received[0]!.bytes).resourceSpans[0];
  expect(scopeSpans[0].spans).toHaveLength(20_000);
  const broken = `${large.slice(0, -1)},{"traceId":"x"}]`;
  expect(await receivers.post('/api/v2/spans', broken, asJson)).toMatchObject({
    status: 400,
    text: '[20000].traceId: expected 1 to 32 hexadecimal digits\n',
  });
  receivers.answer = () => Promise.reject(new RefusedError('no'));
  const gzipped = await receivers.post('/api/v2/spans', gzipSync(large), {
    ...asJson,
    'content-encoding': 'gzip',
  });
  expect(gzipped).toMatchObject({ status: 400, text: 'no\n' });
  expect(receivers.received).toHaveLength(2);
  expect(receivers.received[1]!.batchId).toBe(receivers.received[0]!.batchId);
});
