/**
 * Goal: a client of Prometheus's API cannot tell us from a Prometheus.
 * Method: the replies of a real Prometheus 3.16 (record-golden.ts) to some two hundred requests, and ours over HTTP to
 * the same requests on the same data, which came by remote write through the real pipeline into the embedded store.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestStore, type TestStore } from '../../sql/open-test-store.ts';
import { createPrometheusApp } from '../prometheus-app.ts';
import { dataNow, goldenData } from './golden-data.ts';
import { type GoldenReply, normalReply } from './golden-reply.ts';
import { type GoldenRequest, goldenRequests, queryOf, requestText } from './golden-requests.ts';
import { storeRemoteWrite } from './store-remote-write.ts';

const replies = JSON.parse(readFileSync(join(import.meta.dirname, 'golden-replies.json'), 'utf8')) as Record<
  string,
  GoldenReply
>;

/** What we say in other words, and why. */
const differences: Readonly<Record<string, (reply: GoldenReply) => GoldenReply>> = {
  // There is no such flag here.
  'GET search/metric_names?limit=10001': (reply) => ({
    ...reply,
    body: reply.body.replace(', see --web.search.max-limit', ''),
  }),
  // Which of the two is met first.
  'GET query?query=http_requests_total%7Bcode%3D%22500%22%7D+%2F+on+%28job%29+http_requests_total&time=1767226200':
    swapped,
  'GET query?query=http_requests_total+%2B+on+%28job%29+http_requests_total&time=1767226200': swapped,
  // Prometheus cuts before it sorts.
  'GET label/__name__/values?start=1767225600&end=1767226200&limit=3': (reply) => ({
    ...reply,
    body: reply.body.replace('odd_values', 'latency'),
  }),
};

function swapped(reply: GoldenReply): GoldenReply {
  return { ...reply, body: reply.body.replace(/\[(\{.*?\}), (\{.*?\})\]/, '[$2, $1]') };
}

/** Neither server promises an order of vectors that are not sorted, nor of series. */
const unordered = (request: GoldenRequest): boolean =>
  request.path === 'series' ||
  (request.path === 'query' && !request.params.some(([, value]) => /^(sort|topk)/.test(value)));

function inOrder(reply: GoldenReply): GoldenReply {
  if (reply.status !== 200) return reply;
  const parsed = JSON.parse(reply.body) as { data: unknown };
  const { data } = parsed;
  const list = Array.isArray(data) ? data : (data as { result: unknown }).result;
  const isListOfObjects = Array.isArray(list) && list.every((one) => typeof one === 'object');
  if (isListOfObjects) list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return { ...reply, body: JSON.stringify(parsed) };
}

let opened: TestStore;
let app: FastifyInstance;
let base = '';

beforeAll(async () => {
  opened = await openTestStore();
  await storeRemoteWrite(opened.store, goldenData, dataNow * 1000);
  app = createPrometheusApp({ store: opened.store, nowMs: dataNow * 1000 });
  base = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await app?.close();
  await opened?.[Symbol.asyncDispose]();
});

test('every request was recorded, and nothing else', () => {
  expect(Object.keys(replies).sort()).toEqual(goldenRequests.map(requestText).sort());
});

test.each(goldenRequests.map((request) => ({ name: requestText(request), request })))(
  '$name',
  async ({ name, request }) => {
    const query = queryOf(request);
    const url = `${base}/prometheus/api/v1/${request.path}`;
    const reply =
      request.method === 'GET'
        ? await fetch(`${url}?${query}`)
        : await fetch(url, { method: 'POST', body: query });
    const ours = normalReply(reply.status, reply.headers.get('content-type') ?? '', await reply.text());
    const theirs = (differences[name] ?? ((same) => same))(replies[name]!);
    if (unordered(request)) expect(inOrder(ours)).toEqual(inOrder(theirs));
    else expect(ours).toEqual(theirs);
  },
);
