/**
 * Goal: a signal is defined, evaluated once per interval however many ask, and answered so that KEDA can scale on it.
 * Method: app.inject against the real store and scheduler; the query's result and the time come from the test.
 */
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { registerScalingApi } from '#query/api/scaling.ts';
import type { InstantRequest, InstantSample } from '#query/instant.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { type Scaling, startScaling } from '#query/scaling/scaling.ts';
import { FakeClock, until } from '#test/query/rules/fake-clock.ts';
import { openTestStore, type TestStore } from '#test/query/sql/open-test-store.ts';

const silent = () => {};
const base = '/sonde/api/v1/scaling/signals';
const startMs = Date.parse('2026-01-02T03:04:00Z');
const definition = {
  query: 'sum(rate(requests_total[1m]))',
  target: { type: 'average_value', value: 100 },
  max_replicas: 20,
};

let opened: TestStore;
let app: FastifyInstance;
let scaling: Scaling;
let clock: FakeClock;
let results: readonly InstantSample[] | Error;
let asked: InstantRequest[];

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

beforeEach(async () => {
  for (const table of ['scaling_signals', 'scaling_decisions'])
    await opened.store.exec(`TRUNCATE TABLE ${table}`);
  clock = new FakeClock(startMs);
  results = [{ labels: [], value: 900 }];
  asked = [];
  await start();
});

afterEach(stop);

async function start(): Promise<void> {
  scaling = await startScaling({
    store: opened.store,
    instantQuery: (request) => {
      asked.push(request);
      return results instanceof Error ? Promise.reject(results) : Promise.resolve(results);
    },
    validateQuery: (query) => {
      if (query.includes('((')) throw new ParseError('1:3: parse error: unexpected end of input', 2, 2);
    },
    clock,
    log: { info: silent, warn: silent, error: silent },
  });
  app = fastify();
  await app.register((scope, _options, done) => {
    registerScalingApi(scope, { scaling });
    done();
  });
}

async function stop(): Promise<void> {
  await scaling.stop();
  await app.close();
}

async function call(method: 'GET' | 'PUT' | 'DELETE', url: string, payload?: object | string, headers = {}) {
  const type = { 'content-type': 'application/json' };
  const request: InjectOptions = {
    method,
    url: base + url,
    headers: { ...(payload === undefined ? {} : type), ...headers },
  };
  const reply = await app.inject(payload === undefined ? request : { ...request, payload });
  return {
    status: reply.statusCode,
    headers: reply.headers,
    body: reply.body === '' ? undefined : reply.json(),
  };
}

/** Defines the signal and waits for its first value. */
async function define(changes: object = {}): Promise<void> {
  await call('PUT', '/checkout', { ...definition, ...changes });
  await until('it is evaluated', () => scaling.find('default', 'checkout')?.evaluation !== undefined);
}

async function nextEvaluation(): Promise<void> {
  const runner = scaling.find('default', 'checkout');
  const before = runner?.evaluationCount;
  await clock.advance(15_000);
  await until('it is evaluated again', () => runner?.evaluationCount !== before);
}

test('a signal is defined, read, listed, changed and deleted', async () => {
  const created = await call('PUT', '/checkout', definition);
  expect(created).toMatchObject({ status: 201, headers: { etag: '"1"' }, body: { version: 1, definition } });
  const changed = await call('PUT', '/checkout', { ...definition, max_replicas: 30 });
  expect(changed).toMatchObject({ status: 200, headers: { etag: '"2"' } });
  expect(await call('GET', '/checkout')).toMatchObject({
    status: 200,
    headers: { etag: '"2"' },
    body: { version: 2, definition: { name: 'checkout', max_replicas: 30 } },
  });
  expect((await call('GET', '')).body.signals).toHaveLength(1);
  expect(await call('DELETE', '/checkout')).toMatchObject({ status: 204, body: undefined });
  expect((await call('GET', '')).body).toEqual({ signals: [] });
  expect((await call('PUT', '/checkout', definition)).status).toBe(201);
});

test('the value is a number at the top, with the replicas that it asks for', async () => {
  await define();
  expect(await call('GET', '/checkout/value?current_replicas=5')).toMatchObject({
    status: 200,
    body: {
      signal: 'checkout',
      value: 900,
      measured: 900,
      served: 'measured',
      target: { type: 'average_value', value: 100 },
      desired_replicas: 9,
      active: true,
      evaluated_at: '2026-01-02T03:04:00.000Z',
      age_ms: 0,
      missing_data: false,
      explanation: 'value 900 against average_value target 100 asks for 9',
    },
  });
  clock.jump(1500);
  expect((await call('GET', '/checkout/value')).body).toMatchObject({
    value: 900,
    age_ms: 1500,
    desired_replicas: null,
    explanation: 'pass current_replicas to learn how many replicas are desired',
  });
});

test('however many ask, the store is asked once per interval', async () => {
  await define();
  for (let index = 0; index < 50; index++) await call('GET', `/checkout/value?current_replicas=${index % 3}`);
  expect(asked).toHaveLength(1);
  await nextEvaluation();
  expect(asked).toHaveLength(2);
  expect(asked[0]).toMatchObject({ tenant: 'default', query: definition.query, timeMs: startMs });
});

const noData: readonly (readonly [string, readonly InstantSample[] | Error, string])[] = [
  ['no result', [], 'the query returned no result'],
  ['NaN', [{ labels: [], value: Number.NaN }], 'the query returned NaN'],
  ['a failed query', new Error('the store is down'), 'the store is down'],
  [
    'several series',
    ['a', 'b'].map((pod) => ({ labels: [['pod', pod]], value: 1 })),
    'the query returned 2 results: a signal needs one (aggregate it, as with sum)',
  ],
];

test.each(noData)(
  '%s is missing data: "hold" serves the last value and says so',
  async (_name, missing, reason) => {
    await define();
    results = missing;
    await nextEvaluation();
    const { status, body } = await call('GET', '/checkout/value');
    expect(status).toBe(200);
    expect(body).toMatchObject({ value: 900, measured: null, served: 'held', missing_data: true });
    expect(body.explanation).toContain(
      `data is missing (${reason}): the value of 2026-01-02T03:04:00.000Z is held`,
    );
  },
);

test('missing data with "zero" serves 0', async () => {
  results = [];
  await define({ missing_data: 'zero' });
  expect((await call('GET', '/checkout/value')).body).toMatchObject({
    value: 0,
    served: 'zero',
    active: false,
  });
});

test.each(['fail', 'hold'])('missing data with "%s" and nothing to hold answers 503', async (policy) => {
  results = [];
  await define({ missing_data: policy });
  const { status, body } = await call('GET', '/checkout/value?current_replicas=3');
  expect(status).toBe(503);
  expect(body).toMatchObject({
    value: null,
    served: 'none',
    desired_replicas: null,
    error: 'data is missing (the query returned no result) and there is no value to serve',
  });
});

test('a changed definition keeps the value of the same query, and not that of another one', async () => {
  await define();
  results = [];
  await call('PUT', '/checkout', { ...definition, max_replicas: 5 });
  await until('it is evaluated', () => scaling.find('default', 'checkout')?.evaluationCount === 1);
  expect((await call('GET', '/checkout/value')).body).toMatchObject({ value: 900, served: 'held' });
  await call('PUT', '/checkout', { ...definition, query: 'other' });
  await until('it is evaluated', () => scaling.find('default', 'checkout')?.evaluationCount === 1);
  expect((await call('GET', '/checkout/value')).status).toBe(503);
});

test('signals are there again after a restart', async () => {
  await define();
  await stop();
  await start();
  await until('it is evaluated', () => scaling.find('default', 'checkout')?.evaluation !== undefined);
  expect((await call('GET', '/checkout/value')).body.value).toBe(900);
  expect(scaling.status()).toEqual({ signalCount: 1, missingCount: 0, droppedDecisionCount: 0 });
});

test('every decision is recorded once: each evaluation, and each new number of replicas', async () => {
  await define();
  for (const replicas of [5, 5, 6, 6]) await call('GET', `/checkout/value?current_replicas=${replicas}`);
  results = [];
  await nextEvaluation();
  await stop();
  const rows = await opened.store.rows<{ value: number; served: number; desired: string; reason: string }>(
    'SELECT value, served, desired, reason FROM scaling_decisions ORDER BY ts, desired NULLS FIRST, reason',
  );
  const asks = 'value 900 against average_value target 100 asks for 9';
  expect(rows).toEqual([
    { value: 900, served: 900, desired: null, reason: 'measured' },
    { value: 900, served: 900, desired: '9', reason: asks },
    { value: 900, served: 900, desired: '9', reason: asks },
    { value: null, served: 900, desired: '9', reason: asks },
  ]);
  await start();
});

test('tenants do not see each other’s signals', async () => {
  await define();
  const other = { 'x-scope-orgid': 'other' };
  expect((await call('GET', '', undefined, other)).body).toEqual({ signals: [] });
  expect((await call('GET', '/checkout/value', undefined, other)).status).toBe(404);
  expect((await call('DELETE', '/checkout', undefined, other)).status).toBe(404);
});

test('two people who change one signal: the second is told to read it again', async () => {
  await define();
  const first = await call('PUT', '/checkout', definition, { 'if-match': '"1"' });
  expect(first.status).toBe(200);
  const second = await call('PUT', '/checkout', definition, { 'if-match': '"1"' });
  expect(second).toMatchObject({
    status: 409,
    body: { error: 'signal "checkout" has version 2, not 1: read it again first' },
  });
  expect((await call('DELETE', '/checkout', undefined, { 'if-match': '"1"' })).status).toBe(409);
  expect((await call('PUT', '/checkout', definition, { 'if-none-match': '*' })).status).toBe(409);
});

const unknown = 'there is no scaling signal "none"; define it by PUT /sonde/api/v1/scaling/signals/NAME';

test.each([
  ['an unknown signal', 'GET', '/none', undefined, {}, 404, unknown],
  ['the value of an unknown signal', 'GET', '/none/value', undefined, {}, 404, unknown],
  ['deleting an unknown signal', 'DELETE', '/none', undefined, {}, 404, unknown],
  [
    'a broken query',
    'PUT',
    '/a',
    { ...definition, query: '((' },
    {},
    400,
    'signal "a": query: 1:3: parse error: unexpected end of input',
  ],
  [
    'an unknown key',
    'PUT',
    '/a',
    { ...definition, level: 'host' },
    {},
    400,
    'signal "a": "level" is not supported yet',
  ],
  ['broken JSON', 'PUT', '/a', '{', {}, 400, expect.stringContaining('JSON')],
  [
    'a body too large',
    'PUT',
    '/a',
    { query: 'x'.repeat(40_000) },
    {},
    413,
    expect.stringContaining('too large'),
  ],
  [
    'a version that is none',
    'PUT',
    '/a',
    definition,
    { 'if-match': 'x' },
    400,
    'If-Match must be the version that was read, as in "3"',
  ],
  [
    'replicas that are none',
    'GET',
    '/a/value?current_replicas=-1',
    undefined,
    {},
    400,
    'current_replicas must be a whole number from 0 to 999999',
  ],
  [
    'a tenant that is none',
    'GET',
    '',
    undefined,
    { 'x-scope-orgid': 'a/b' },
    400,
    expect.stringContaining('X-Scope-OrgID'),
  ],
] as const)('refused: %s', async (_name, method, url, payload, headers, status, error) => {
  const reply = await call(method, url, payload, headers);
  expect({ status: reply.status, error: reply.body.error }).toEqual({ status, error });
});
