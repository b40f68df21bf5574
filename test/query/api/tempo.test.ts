/**
 * Goal: Tempo's clients get a trace in Tempo's forms, and never another tenant's.
 * Method: requests against the routes over one real store, replies as golden JSON.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerTempoApi } from '#query/api/tempo.ts';
import { createTraceSource } from '#query/sql/traces.ts';
import { encodeTraceByIdResponse, encodeTracesData } from '#query/traces/otlp-protobuf.ts';
import type { Store } from '#store/store.ts';
import type { TestStore } from '../sql/open-test-store.ts';
import { openTraceStore, traceId } from './trace-fixture.ts';

let opened: TestStore;
let store: Store;
let app: FastifyInstance;

beforeAll(async () => {
  opened = await openTraceStore();
  store = opened.store;
  app = fastify();
  await app.register(
    (scope, _none, done) => {
      registerTempoApi(scope, { source: (tenant) => createTraceSource(store, tenant), version: '1.2.3' });
      done();
    },
    { prefix: '/tempo' },
  );
});

afterAll(async () => {
  await app.close();
  await opened[Symbol.asyncDispose]();
});

const get = (path: string, headers: Record<string, string> = {}) =>
  app.inject({ url: `/tempo${path}`, headers });

const resourceSpans = [
  {
    resource: { attributes: [{ key: 'service.name', value: { stringValue: 'cart' } }] },
    scopeSpans: [
      {
        scope: {},
        spans: [
          {
            traceId: 'AAAAAAAAAAABAgMEBQYHCA==',
            spanId: 'AAAAAAAAAKE=',
            name: 'GET /',
            kind: 'SPAN_KIND_SERVER',
            startTimeUnixNano: '1767225600000000000',
            endTimeUnixNano: '1767225600000002999',
            attributes: [{ key: 'http.status', value: { stringValue: '200' } }],
            status: {},
          },
        ],
      },
    ],
  },
  {
    resource: {
      attributes: [
        { key: 'service.name', value: { stringValue: 'pay' } },
        { key: 'host.name', value: { stringValue: 'h' } },
      ],
    },
    scopeSpans: [
      {
        scope: { name: 'http', version: '1.0' },
        spans: [
          {
            traceId: 'AAAAAAAAAAABAgMEBQYHCA==',
            spanId: 'AAAAAAAAALI=',
            parentSpanId: 'AAAAAAAAAKE=',
            name: 'charge',
            kind: 'SPAN_KIND_CLIENT',
            startTimeUnixNano: '1767225600000001999',
            endTimeUnixNano: '1767225600000002999',
            events: [
              {
                timeUnixNano: '1767225600000002001',
                name: 'exception',
                attributes: [{ key: 'type', value: { stringValue: 'E' } }],
              },
            ],
            links: [{ traceId: '/wAAAAAAAAAAAAAAAAAADw==', spanId: 'AAAAAAAAAAo=', traceState: 's' }],
            status: { code: 'STATUS_CODE_ERROR', message: 'refused' },
          },
        ],
      },
    ],
  },
];

test('version 1 answers batches', async () => {
  const reply = await get(`/api/traces/${traceId}`);
  expect(reply.statusCode).toBe(200);
  expect(reply.json()).toEqual({ batches: resourceSpans });
});

test('version 2 answers a trace and that it is complete', async () => {
  // Upper or lower case, with or without the zeros.
  const reply = await get('/api/v2/traces/102030405060708?start=1&end=2&q=%7B%7D');
  expect(reply.json()).toEqual({ trace: { resourceSpans }, status: 'COMPLETE' });
});

test('protobuf is answered where it is asked for', async () => {
  const trace = await createTraceSource(store, 'default').trace(traceId);
  if (trace === undefined) throw new Error('the fixture has no trace');
  const accept = { accept: 'application/protobuf' };
  const [first, second] = [
    await get(`/api/traces/${traceId}`, accept),
    await get(`/api/v2/traces/${traceId}`, accept),
  ];
  expect(first.headers['content-type']).toBe('application/protobuf');
  expect(first.rawPayload).toEqual(Buffer.from(encodeTracesData(trace)));
  expect(second.rawPayload).toEqual(Buffer.from(encodeTraceByIdResponse(trace)));
});

test.each([
  ['/api/traces/ff', 404, 'trace 000000000000000000000000000000ff not found'],
  ['/api/v2/traces/ff', 404, 'trace 000000000000000000000000000000ff not found'],
  ['/api/traces/xyz', 400, 'a trace id has 1 to 32 hexadecimal digits, not "xyz"'],
  [
    `/api/v2/traces/${traceId}?q=%7B.a%3D1%7D`,
    501,
    '{"error":"a TraceQL filter in q is not supported yet; leave q out to get the whole trace"}',
  ],
  [
    '/api/search?q=%7B%7D',
    501,
    '{"error":"a search by TraceQL or tags (ask for a trace by its id) is not supported yet"}',
  ],
  [
    '/api/v2/search/tags',
    501,
    '{"error":"a search by TraceQL or tags (ask for a trace by its id) is not supported yet"}',
  ],
  ['/api/metrics/query_range', 501, '{"error":"the API of TraceQL metrics is not supported yet"}'],
])('%s is answered %i', async (path, status, body) => {
  const reply = await get(path);
  expect([reply.statusCode, reply.body]).toEqual([status, body]);
});

test.each(['/api/traces/', '/api/v2/traces/'])('%s shows each tenant its own', async (path) => {
  const own = (await get(path + traceId)).body;
  const other = (await get(path + traceId, { 'x-scope-orgid': 'other' })).body;
  expect([own.includes('charge'), own.includes('hidden')]).toEqual([true, false]);
  expect([other.includes('charge'), other.includes('hidden')]).toEqual([false, true]);
  expect((await get(path + traceId, { 'x-scope-orgid': 'third' })).statusCode).toBe(404);
});

test('the health check and the version are answered', async () => {
  expect((await get('/api/echo')).body).toBe('echo');
  expect((await get('/api/status/buildinfo')).json()).toMatchObject({ version: '1.2.3' });
});
