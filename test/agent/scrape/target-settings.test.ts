/**
 * Goal: each target is scraped with settings of its own, which may change while it runs, and none waits for another.
 * Method: node:http servers as targets, a transport that keeps envelopes; what arrives is transcoded as a collector does.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { ResolvedTarget, ScrapeSettings } from '#agent/scrape/scrape-settings.ts';
import { type Scraper, startScraper } from '#agent/scrape/scraper.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { labelValue } from '#model/labels.ts';
import { renderRequest } from '#test/wire/remote-write/request-text.ts';
import { encodePage } from '../../support/naive/client-metrics-proto.ts';
import { MemoryTransport, until } from './memory-transport.ts';
import { resolveSimpleTargets, simpleSettings } from './simple-target.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const page =
  (text: string): RequestListener =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end(text);

function target(url: string, more: Partial<ScrapeSettings> = {}, job = 'test'): ResolvedTarget {
  const settings = { ...simpleSettings({ intervalMs: 200, timeoutMs: 10_000 }), ...more };
  return resolveSimpleTargets([{ url, job, labels: { instance: 'i' } }], settings)[0]!;
}

function start(
  targets: readonly ResolvedTarget[],
  hasExtraMetrics = false,
): { scraper: Scraper; transport: MemoryTransport } {
  const transport = new MemoryTransport();
  const log = pino({ enabled: false });
  const scraper = startScraper({ targets, hasExtraMetrics, transport, tenant: 'acme', log });
  cleanups.push(() => scraper.stop({ drainMs: 100 }));
  return { scraper, transport };
}

/** Lines of the envelopes from number `first` on: without labels, times and metadata. */
function lines(transport: MemoryTransport, first = 0): string[] {
  return transport.envelopes
    .slice(first)
    .flatMap(({ bytes }) => renderRequest(bytes))
    .map((line) => line.replace(/\{[^}]*\} (\S+(?: histogram)?) @.*/, ' $1'));
}

test('changed settings are taken at once; what they leave out ends with a stale marker, the rest goes on', async () => {
  const url = await serve(page('a 1\nb 1\n'));
  const { scraper, transport } = start([target(url)]);
  await until(() => transport.envelopes.length >= 2);
  const dropB: Partial<ScrapeSettings> = {
    relabel: (labels) => (labelValue(labels, '__name__') === 'b' ? undefined : labels),
  };
  scraper.setTargets([target(url, { ...dropB, intervalMs: 100, timeoutMs: 100 })]);
  expect(scraper.status()[0]).toMatchObject({ health: 'up', intervalMs: 100, timeoutMs: 100 });
  const before = transport.envelopes.length;
  await until(() => transport.envelopes.length >= before + 4);
  const after = lines(transport, before);
  expect(after.filter((line) => line === 'b stale')).toHaveLength(1);
  expect(after).not.toContain('a stale');
  expect(after).not.toContain('up stale');
  expect(after.at(-1)).toBe('scrape_samples_post_metric_relabeling 1');
  const ids = transport.envelopes.map(({ batchId }) => batchId);
  expect(new Set(ids).size).toBe(ids.length);
});

test('equal settings, made anew, disturb nothing; facts for people are taken', async () => {
  const url = await serve(page('a 1\n'));
  const { scraper, transport } = start([target(url, { intervalMs: 60_000 })]);
  await until(() => transport.envelopes.length === 1);
  const again = target(url, { intervalMs: 60_000 });
  scraper.setTargets([{ ...again, discoveredLabels: { __meta_x: 'y' } }]);
  expect(scraper.status()[0]).toMatchObject({
    health: 'up',
    discoveredLabels: { __meta_x: 'y' },
    samples: 1,
  });
});

test('the same URL with other labels, or of another pool, is another target', async () => {
  const url = await serve(page('a 1\n'));
  const one = target(url);
  const { scraper } = start([one, { ...one, scrapePool: 'other' }, target(url, {}, 'third')]);
  await until(() => scraper.status().every(({ health }) => health === 'up'));
  expect(scraper.status().map(({ scrapePool }) => scrapePool)).toEqual(['test', 'other', 'third']);
});

test('extra metrics say timeout, limit and size', async () => {
  const url = await serve(page('a 1\nb 1\n'));
  const { transport } = start([target(url, { intervalMs: 60_000, timeoutMs: 1500 })], true);
  await until(() => transport.envelopes.length === 1);
  expect(lines(transport)).toEqual(
    expect.arrayContaining([
      'scrape_timeout_seconds 1.5',
      'scrape_sample_limit 1000000',
      'scrape_body_size_bytes 8',
    ]),
  );
});

test('a page over its own limit of bytes is refused, and its size is -1', async () => {
  const url = await serve(page('a 1\nb 1\n'));
  const { limits } = simpleSettings({ intervalMs: 1, timeoutMs: 1 });
  const { scraper, transport } = start([target(url, { limits: { ...limits, bodyBytes: 7 } })], true);
  await until(() => transport.envelopes.length > 0);
  expect(scraper.status()[0]!.lastError).toBe(
    `${url} answered with more than 7 bytes, the limit of a page`.replace(url, `${url}/`),
  );
  expect(lines(transport)).toEqual(expect.arrayContaining(['up 0', 'scrape_body_size_bytes -1']));
});

test('credentials of the settings are used; refused ones are what the error names', async () => {
  const url = await serve((request, response) => {
    const isRight = request.headers.authorization === 'Bearer s3cret';
    response.writeHead(isRight ? 200 : 401, { 'content-type': 'text/plain' }).end('a 1\n');
  });
  const http = (credentials: string): Partial<ScrapeSettings> => ({
    http: { isFollowingRedirects: true, authorization: { type: 'Bearer', credentials } },
  });
  const { scraper } = start([target(url, http('wr0ng'))]);
  await until(() => scraper.status()[0]!.health === 'down');
  expect(scraper.status()[0]!.lastError).toBe(`${url}/ answered 401 Unauthorized: check the credentials`);
  scraper.setTargets([target(url, http('s3cret'))]);
  await until(() => scraper.status()[0]!.health === 'up');
});

test('protobuf pages arrive at a collector with histograms, exemplars and start times; stop ends histograms too', async () => {
  const seconds = Math.floor(Date.now() / 1000) - 60;
  const exemplar = { label: [{ name: 't', value: 'x' }], value: 1, timestamp: { seconds } };
  const body = encodePage([
    {
      name: 'c_total',
      type: 0,
      metric: [{ counter: { value: 1, exemplar, createdTimestamp: { seconds } } }],
    },
    {
      name: 'h',
      type: 4,
      metric: [
        {
          histogram: {
            ...{
              sampleCount: 3,
              sampleSum: 2,
              schema: 3,
              zeroThreshold: 1e-9,
              createdTimestamp: { seconds },
            },
            ...{ positiveSpan: [{ offset: 0, length: 2 }], positiveDelta: [1, 1], exemplars: [exemplar] },
          },
        },
      ],
    },
  ]);
  const type = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
  const url = await serve((_request, response) =>
    response.writeHead(200, { 'content-type': type }).end(body),
  );
  const native = {
    protocols: ['PrometheusProto'],
    isTakingNativeHistograms: true,
    intervalMs: 60_000,
  } as const;
  const { scraper, transport } = start([target(url, native)]);
  await until(() => transport.envelopes.length === 1);
  await scraper.stop();
  const requests = transport.envelopes.map(({ bytes }) => ({
    signal: 'remote_write' as const,
    tenant: 'acme',
    bytes,
  }));
  const nowUnixMs = Date.now();
  const { outcomes, blocks } = createTranscoder()({
    requests,
    nowUnixMs,
    oldestUnixMs: nowUnixMs - 3_600_000,
    seriesEpoch: 0,
  });
  expect(outcomes).toMatchObject([
    { accepted: 7, histograms: 1, exemplars: 2, rejections: [], decodeError: undefined },
    { accepted: 7, histograms: 1, rejections: [], decodeError: undefined },
  ]);
  expect(blocks.map(({ table, rowCount }) => `${table} ${rowCount}`)).toEqual(
    expect.arrayContaining(['histograms_head 2', 'exemplars 2']),
  );
  expect(lines(transport, 1)).toContain('h stale histogram');
});

test('a thousand targets are scraped while some hang', { timeout: 30_000 }, async () => {
  const hanging = await serve(() => {});
  const good = await serve(page('a 1\n'));
  const settings = simpleSettings({ intervalMs: 5000, timeoutMs: 5000 });
  const targets = resolveSimpleTargets(
    Array.from({ length: 1000 }, (_, i) => ({
      url: i % 20 === 0 ? hanging : good,
      job: 'many',
      labels: { instance: `i${i}` },
    })),
    settings,
  );
  const { scraper } = start(targets);
  const healthOf = (url: string): string[] =>
    scraper.status().flatMap((status) => (status.url === `${url}/` ? [status.health] : []));
  await until(() => healthOf(good).every((health) => health === 'up'));
  expect(healthOf(good)).toHaveLength(950);
  expect(new Set(healthOf(hanging))).toEqual(new Set(['unknown']));
});
