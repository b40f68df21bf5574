/**
 * Goal: Jaeger's clients get a trace in Jaeger's form, and never another tenant's.
 * Method: requests against the routes over one real store, replies as golden JSON.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerJaegerApi } from '#query/api/jaeger.ts';
import { createTraceSource } from '#query/sql/traces.ts';
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
      registerJaegerApi(scope, {
        source: (tenant) => createTraceSource(store, tenant),
        now: () => Date.parse('2026-01-02T00:00:00Z'),
      });
      done();
    },
    { prefix: '/jaeger' },
  );
});

afterAll(async () => {
  await app.close();
  await opened[Symbol.asyncDispose]();
});

async function get(path: string, headers: Record<string, string> = {}) {
  const reply = await app.inject({ url: `/jaeger${path}`, headers });
  return { status: reply.statusCode, body: reply.json() };
}

const listed = (data: unknown[]) => ({
  status: 200,
  body: { data, total: data.length, limit: 0, offset: 0, errors: null },
});
const failed = (code: number, msg: string) => ({
  status: code,
  body: { data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] },
});

test('a trace has its processes apart, microseconds, and what OTLP adds as tags', async () => {
  const { body } = await get(`/api/traces/${traceId}`);
  const traceID = '0102030405060708';
  expect(body.data).toEqual([
    {
      traceID,
      spans: [
        {
          traceID,
          spanID: '00000000000000a1',
          flags: 1,
          operationName: 'GET /',
          references: [],
          startTime: 1767225600000000,
          duration: 2,
          tags: [
            { key: 'http.status', type: 'string', value: '200' },
            { key: 'span.kind', type: 'string', value: 'server' },
          ],
          logs: [],
          processID: 'p1',
          warnings: null,
        },
        {
          traceID,
          spanID: '00000000000000b2',
          flags: 1,
          operationName: 'charge',
          references: [
            { refType: 'CHILD_OF', traceID, spanID: '00000000000000a1' },
            {
              refType: 'FOLLOWS_FROM',
              traceID: 'ff00000000000000000000000000000f',
              spanID: '000000000000000a',
            },
          ],
          startTime: 1767225600000001,
          duration: 1,
          tags: [
            { key: 'otel.scope.name', type: 'string', value: 'http' },
            { key: 'otel.scope.version', type: 'string', value: '1.0' },
            { key: 'span.kind', type: 'string', value: 'client' },
            { key: 'otel.status_code', type: 'string', value: 'ERROR' },
            { key: 'otel.status_description', type: 'string', value: 'refused' },
            { key: 'error', type: 'bool', value: true },
          ],
          logs: [
            {
              timestamp: 1767225600000002,
              fields: [
                { key: 'event', type: 'string', value: 'exception' },
                { key: 'type', type: 'string', value: 'E' },
              ],
            },
          ],
          processID: 'p2',
          warnings: null,
        },
      ],
      processes: {
        p1: { serviceName: 'cart', tags: [] },
        p2: { serviceName: 'pay', tags: [{ key: 'host.name', type: 'string', value: 'h' }] },
      },
      warnings: null,
    },
  ]);
});

test.each([
  ['/api/services', ['cart', 'pay']],
  ['/api/services/cart/operations', ['GET /']],
  ['/api/operations?service=pay', [{ name: 'charge', spanKind: 'client' }]],
  ['/api/operations?service=pay&spanKind=server', []],
])('%s', async (path, data) => expect(await get(path)).toEqual(listed(data)));

test.each([
  ['/api/traces/ff', failed(404, 'trace not found')],
  ['/api/traces/xyz', failed(400, 'a trace id has 1 to 32 hexadecimal digits, not "xyz"')],
  ['/api/operations', failed(400, "parameter 'service' is required")],
  ['/api/traces?service=cart', failed(501, 'searching traces is not supported yet')],
  ['/api/dependencies', failed(501, 'the dependency graph is not supported yet')],
])('%s is refused', async (path, reply) => expect(await get(path)).toEqual(reply));

test.each(['/api/services', '/api/services/secret/operations', `/api/traces/${traceId}`])(
  '%s shows each tenant its own',
  async (path) => {
    expect(JSON.stringify(await get(path))).not.toMatch(/hidden|"secret"/);
    expect(JSON.stringify(await get(path, { 'x-scope-orgid': 'other' }))).toMatch(/hidden|"secret"/);
    expect(JSON.stringify(await get(path, { 'x-scope-orgid': 'other' }))).not.toMatch(/cart|pay/);
  },
);
