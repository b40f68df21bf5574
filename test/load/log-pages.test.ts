/**
 * Goal: every line of a store is read once, whatever the pages cut: many lines of one time, long silences, more lines
 * of a nanosecond than a page holds.
 * Method: a server that answers query_range as Loki does, over lines in memory: lines of one time come in any order.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiClient } from '#load/verify/api-client.ts';
import { type LogLine, readLogPages } from '#load/verify/log-pages.ts';

let stored: LogLine[] = [];
let refusal: { status: number; text: string } | undefined;
let failures = 0;
let asked = 0;

const server = createServer((request, response) => {
  asked++;
  if (failures > 0) {
    failures--;
    response.writeHead(503).end('starting');
    return;
  }
  if (refusal !== undefined) {
    response.writeHead(refusal.status).end(refusal.text);
    return;
  }
  const query = new URL(request.url!, 'http://x').searchParams;
  const [start, end] = [BigInt(query.get('start')!), BigInt(query.get('end')!)];
  const patterns = [...query.get('query')!.matchAll(/\|~ "([^"]*)"/g)].map(([, text]) => new RegExp(text!));
  const found = shuffled(stored)
    .filter(([time]) => BigInt(time) >= start && BigInt(time) < end)
    .filter(([, line]) => patterns.every((pattern) => pattern.test(line)))
    .sort(([a], [b]) => Number(BigInt(a) - BigInt(b)))
    .slice(0, Number(query.get('limit')));
  // Two streams, as lines of two containers are.
  const result = [found.filter((_, i) => i % 2 === 0), found.filter((_, i) => i % 2 === 1)];
  response.end(JSON.stringify({ status: 'success', data: { result: result.map((values) => ({ values })) } }));
});
let api: ApiClient;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
});
afterAll(() => server.close());

let state = 1;
function shuffled(lines: readonly LogLine[]): LogLine[] {
  return lines
    .map((line) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return { line, order: state };
    })
    .sort((a, b) => a.order - b.order)
    .map(({ line }) => line);
}

const start = 1_767_225_600_000_000_000n;
const at = (nano: bigint | number, seq: number): LogLine => [String(start + BigInt(nano)), `seq=${seq} `];

async function readAll(pageLines: number): Promise<number[]> {
  const seen: number[] = [];
  const range = { query: '{a="b"}', start, end: start + 7_200_000_000_000n, pageLines };
  for await (const page of readLogPages(api, range)) {
    for (const [, line] of page) seen.push(Number(/seq=(\d+)/.exec(line)![1]));
  }
  return seen.sort((a, b) => a - b);
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test.each([
  { name: 'lines of times of their own', time: (i: number) => i * 1_000_000 },
  { name: 'three lines a time, which pages cut', time: (i: number) => Math.floor(i / 3) * 1000 },
  {
    name: 'bursts after long silences',
    time: (i: number) => Math.floor(i / 20) * 900_000_000_000 + (i % 20),
  },
])('$name: each is read once', async ({ time }) => {
  stored = numbers(120).map((seq) => at(time(seq), seq));
  expect(await readAll(7)).toEqual(numbers(120));
});

test('more lines of one time than a page holds are read in parts', async () => {
  stored = numbers(1234).map((seq) => at(5_000_000_000n, seq));
  expect(await readAll(7)).toEqual(numbers(1234));
});

test('a repeat is read as often as it is stored, also within one time', async () => {
  stored = [...numbers(30), 7, 7, 12].map((seq) => at(5, seq));
  expect(await readAll(4)).toEqual([...numbers(30), 7, 7, 12].sort((a, b) => a - b));
});

test('more repeats of one number and time than a page holds are an error, not a guess', async () => {
  stored = Array.from({ length: 9 }, () => at(5, 42));
  await expect(readAll(4)).rejects.toThrow(
    'more than 4 lines of number 42 have the time 1767225600000000005',
  );
});

test('an empty store takes few requests', async () => {
  stored = [];
  asked = 0;
  expect(await readAll(5)).toEqual([]);
  expect(asked).toBeLessThan(20);
});

test('a store that starts is asked again; what it refuses is an error with its words', async () => {
  stored = [at(1, 1)];
  failures = 2;
  expect(await readAll(5)).toEqual([1]);
  refusal = { status: 400, text: 'max entries limit per query exceeded' };
  await expect(readAll(5)).rejects.toThrow(
    '/loki/api/v1/query_range answered 400: max entries limit per query exceeded',
  );
  refusal = { status: 404, text: 'page not found' };
  await expect(readAll(5)).rejects.toThrow('the API has no /loki/api/v1/query_range: is --url its base URL?');
  refusal = undefined;
});
