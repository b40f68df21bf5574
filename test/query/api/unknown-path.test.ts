/**
 * Goal: a request without a route is answered in the form of the API whose path it is on, with a way on.
 * Method: a server with a few routes, requests by inject, whole replies.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerUnknownPaths } from '#query/api/unknown-path.ts';

let app: FastifyInstance;

beforeAll(async () => {
  app = fastify();
  answerUnknownPaths(app);
  await app.register(
    (scope, _none, done) => {
      scope.get('/api/v1/label/:name/values', async () => 'values');
      scope.route({ method: ['GET', 'POST'], url: '/api/v1/query', handler: async () => 'query' });
      done();
    },
    { prefix: '/prometheus' },
  );
  app.all('/loki/api/v1/rules/*', async () => 'rules');
  await app.ready();
});
afterAll(() => app.close());

const envelope = (errorType: string, error: string) => JSON.stringify({ status: 'error', errorType, error });

test.each([
  {
    ask: 'GET /prometheus/api/v1/nope?query=1',
    reply: `404 ${envelope('not_found', 'there is no /prometheus/api/v1/nope: the base path of the Prometheus API is /prometheus')}`,
  },
  {
    ask: 'GET /api/v1/query',
    reply: `404 ${envelope('not_found', 'there is no /api/v1/query: the base path of the Prometheus API is /prometheus')}`,
  },
  {
    ask: 'DELETE /prometheus/api/v1/query',
    reply: `405 GET, HEAD, POST ${envelope('bad_data', 'DELETE is not a method of /prometheus/api/v1/query: use GET, HEAD, POST')}`,
  },
  {
    ask: 'POST /prometheus/api/v1/label/job/values',
    reply: `405 GET, HEAD ${envelope('bad_data', 'POST is not a method of /prometheus/api/v1/label/job/values: use GET, HEAD')}`,
  },
  {
    ask: 'GET /prometheus/config/v1/rules/a/b/c',
    reply:
      "404 there is no /prometheus/config/v1/rules/a/b/c: the ruler's base path is /prometheus/config/v1/rules\n",
  },
  { ask: 'POST /loki/loki/x', reply: '404 there is no /loki/loki/x: the Loki API has no base path\n' },
  { ask: 'GET /tempo', reply: '404 there is no /tempo: the base path of the Tempo API is /tempo\n' },
  {
    ask: 'GET /jaeger/x',
    reply:
      '404 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"there is no /jaeger/x: the base path of the Jaeger API is /jaeger"}]}',
  },
  {
    ask: 'GET /sonde/x',
    reply:
      '404 {"error":"there is no /sonde/x: there are /sonde/api/v1/scaling/signals, /sonde/api/v1/cardinality and /sonde/api/v1/store/status"}',
  },
  { ask: 'GET /tempora', reply: '404 there is no /tempora: the page at / lists what is here\n' },
  {
    ask: `GET /${'x'.repeat(300)}`,
    reply: `404 there is no /${'x'.repeat(199)}...: the page at / lists what is here\n`,
  },
])('$ask', async ({ ask, reply }) => {
  const [method, url] = ask.split(' ') as ['GET' | 'POST' | 'DELETE', string];
  const answer = await app.inject({ method, url });
  const allow = answer.headers.allow === undefined ? '' : `${answer.headers.allow} `;
  expect(`${answer.statusCode} ${allow}${answer.body}`).toBe(reply);
});

test('a body of any type does not hide that there is nothing', async () => {
  const headers = { 'content-type': 'application/x-protobuf' };
  const reply = await app.inject({ method: 'POST', url: '/loki/x', headers, payload: 'x'.repeat(2_000_000) });
  expect(reply.statusCode).toBe(404);
});

test('what has a route is answered by it', async () => {
  expect((await app.inject('/prometheus/api/v1/label/job/values')).body).toBe('values');
  expect((await app.inject('/loki/api/v1/rules/a/b')).body).toBe('rules');
});
