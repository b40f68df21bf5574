/**
 * Goal: real targets, good and bad, become envelopes and a status that a person can act on; the scraper lives on.
 * Method: node:http servers as targets and a transport that keeps envelopes. Short intervals, polled conditions.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip, gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { ResolvedTarget, ScrapeSettings } from '#agent/scrape/scrape-settings.ts';
import { type Scraper, type ScraperOptions, startScraper } from '#agent/scrape/scraper.ts';
import type { TargetStatus } from '#agent/scrape/target-loop.ts';
import { RefusedError } from '#model/errors.ts';
import { bySeries, renderRequest } from '#test/wire/remote-write/request-text.ts';
import { MemoryTransport, until } from './memory-transport.ts';
import { resolveSimpleTargets, type ScrapeTarget, simpleSettings } from './simple-target.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener): Promise<{ url: string; host: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}/metrics`, host, server };
}

/** Serves one answer after the other, and the last one for ever: a page, or something that answers by itself. */
function pages(...answers: (string | RequestListener)[]): RequestListener {
  let next = 0;
  return (request, response) => {
    const answer = answers[Math.min(next++, answers.length - 1)]!;
    if (typeof answer !== 'string') return answer(request, response);
    response.setHeader(
      'content-type',
      answer.includes('# EOF') ? 'application/openmetrics-text; version=1.0.0' : 'text/plain',
    );
    response.end(answer);
  };
}

interface StartOptions extends Partial<Omit<ScraperOptions, 'targets'>> {
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly settings?: Partial<ScrapeSettings>;
}

// The interval is also the bound of a scrape's time: a busy machine must not look like a target that hangs.
function resolve(targets: readonly ScrapeTarget[], options: StartOptions = {}): ResolvedTarget[] {
  const { intervalMs = 250, timeoutMs = 10_000, settings } = options;
  return resolveSimpleTargets(targets, { ...simpleSettings({ intervalMs, timeoutMs }), ...settings });
}

function start(
  urls: readonly string[],
  options: StartOptions = {},
): { scraper: Scraper; transport: MemoryTransport } {
  const transport = new MemoryTransport();
  const targets = urls.map((url) => ({ url, job: 'test' }));
  const scraper = startScraper({
    targets: resolve(targets, options),
    transport,
    tenant: 'acme',
    log: pino({ enabled: false }),
    ...options,
  });
  cleanups.push(() => {
    transport.release();
    return scraper.stop({ drainMs: 100 });
  });
  return { scraper, transport };
}

const first = (scraper: Scraper): TargetStatus => scraper.status()[0]!;

test('a scrape becomes an envelope with the page, the target labels and the report series', async () => {
  const { url, host } = await serve(pages('# TYPE a counter\n# HELP a What.\na{job="own"} 1\nb 2 77\n'));
  const { scraper, transport } = start([url], { intervalMs: 60_000 });
  await until(() => transport.envelopes.length === 1 && first(scraper).health === 'up');
  const envelope = transport.envelopes[0]!;
  expect(envelope).toMatchObject({ signal: 'remote_write', tenant: 'acme' });
  const time = first(scraper).lastScrapeMs;
  const lines = bySeries(renderRequest(envelope.bytes)).map((line) =>
    line.replace(/(duration_seconds\S+) \S+/, '$1 N'),
  );
  const own = `instance="${host}",job="test"`;
  expect(lines).toEqual([
    `a{exported_job="own",${own}} 1 @${time} counter "What."`,
    `b{${own}} 2 @77`,
    `scrape_duration_seconds{${own}} N @${time} gauge "How long the scrape of the target took." seconds`,
    `scrape_samples_post_metric_relabeling{${own}} 2 @${time} gauge "Samples of the page that were kept."`,
    `scrape_samples_scraped{${own}} 2 @${time} gauge "Samples on the page of the target."`,
    `scrape_series_added{${own}} 2 @${time} gauge "Series that the scrape before did not have."`,
    `up{${own}} 1 @${time} gauge "Whether the last scrape of the target succeeded."`,
  ]);
  expect(first(scraper)).toMatchObject({ url, job: 'test', instance: host, lastError: '', samples: 2 });
  expect(first(scraper).lastDurationSeconds).toBeGreaterThan(0);
  expect(scraper.counts().sent).toBe(7);
});

test('a failing target: up 0, all series stale once; then it recovers', async () => {
  const fail: RequestListener = (_request, response) => response.writeHead(503).end('busy');
  const { url, host } = await serve(pages('a 1\nb 1\n', fail, fail, 'a 2\n'));
  const { scraper, transport } = start([url]);
  await until(() => transport.envelopes.length >= 5);
  const own = `instance="${host}",job="test"`;
  expect(transport.scrapes().slice(0, 5)).toEqual([
    [`a{${own}} 1`, `b{${own}} 1`, `up{${own}} 1`],
    [`a{${own}} stale`, `b{${own}} stale`, `up{${own}} 0`],
    [`up{${own}} 0`],
    [`a{${own}} 2`, `up{${own}} 1`],
    [`a{${own}} 2`, `up{${own}} 1`],
  ]);
  expect(first(scraper)).toMatchObject({ health: 'up', lastError: '' });
  const ids = transport.envelopes.map(({ batchId }) => batchId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(transport.envelopes.map(({ key }) => key)).size).toBe(1);
});

const html: RequestListener = (_request, response) =>
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end('<!DOCTYPE html><h1>Hello</h1>');

test.each<[string, RequestListener, (url: string) => string]>([
  ['answers HTML', html, (url) => `${url} answered text/html, not a metrics format: check the path`],
  [
    'answers HTML as text',
    pages('<html>'),
    (url) =>
      `${url} answered with a page that is not in a metrics format: line 1: expected a metric name, not '<'`,
  ],
  [
    'answers JSON',
    (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    (url) => `${url} answered application/json, not a metrics format: check the path`,
  ],
  [
    'does not know the path',
    (_request, response) => response.writeHead(404).end(),
    (url) => `${url} answered 404 Not Found: check the path`,
  ],
  ['never answers', () => {}, (url) => `${url} did not answer completely within 0.03 s`],
  [
    'hangs in the middle of a page',
    (_request, response) => response.write('a 1\n'),
    (url) => `${url} did not answer completely within 0.03 s`,
  ],
  [
    'closes the connection',
    (request) => request.socket.destroy(),
    (url) => `${url} could not be read: socket hang up`,
  ],
  [
    'breaks off a gzip body',
    (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a 1\n').subarray(0, 15)),
    (url) => `${url} could not be read: unexpected end of file`,
  ],
  [
    'sends an encoding that was not asked for',
    (_request, response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x'),
    (url) => `${url} answered in the encoding br, which was not asked for`,
  ],
  [
    'cuts an OpenMetrics page short',
    (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/openmetrics-text' }).end('a 1\n'),
    (url) =>
      `${url} answered with a page that is not in a metrics format: line 2: the page does not end with "# EOF": it was cut short`,
  ],
  [
    'redirects in a circle',
    (_request, response) => response.writeHead(302, { location: '/metrics' }).end(),
    (url) => `${url} redirects more than 5 times`,
  ],
  [
    'redirects elsewhere',
    (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    (url) => `${url} redirects to "file:///etc/passwd", which is no http URL`,
  ],
])('a target that %s is down, says why, and comes back', async (_name, listener, message) => {
  let isBroken = true;
  const { url } = await serve((request, response) =>
    (isBroken ? listener : pages('a 1\n'))(request, response),
  );
  const { scraper, transport } = start([url], { intervalMs: 100, timeoutMs: 30 });
  await until(() => first(scraper).lastError === message(url)).catch(() => {});
  expect(first(scraper)).toMatchObject({ health: 'down', lastError: message(url), samples: 0 });
  isBroken = false;
  await until(() => first(scraper).health === 'up');
  await until(() =>
    transport
      .scrapes()
      .at(-1)!
      .some((line) => line.startsWith('a{')),
  );
  expect(transport.scrapes()[0]!.map((line) => line.replace(/\{.*\}/, ''))).toEqual(['up 0']);
});

test('a target that is not there is down', async () => {
  const { url, server } = await serve(pages('a 1\n'));
  server.close();
  const { scraper } = start([url.replace('//', '//user:secret@')]);
  await until(() => first(scraper).health === 'down');
  expect(first(scraper).lastError).toMatch(
    /^http:\/\/127.0.0.1:\d+\/metrics could not be read: connect ECONNREFUSED/,
  );
  expect(JSON.stringify(scraper.status())).not.toContain('secret');
});

test.each<[string, RequestListener]>([
  [
    'announces',
    (_request, response) => response.writeHead(200, { 'content-length': 65 * 2 ** 20 }).write('a 1\n'),
  ],
  [
    'sends',
    (_request, response) => {
      const line = `a{b="${'x'.repeat(2 ** 20)}"} 1\n`;
      for (let i = 0; i < 65; i++) response.write(line);
      response.end();
    },
  ],
  [
    'hides in gzip',
    (_request, response) => {
      const gzip = createGzip({ level: 1 });
      response.writeHead(200, { 'content-encoding': 'gzip' });
      gzip.pipe(response);
      for (let i = 0; i < 65; i++) gzip.write(Buffer.alloc(2 ** 20, '# hello\n'));
      gzip.end();
    },
  ],
])('a target that %s 65 MiB is refused at the limit', async (_name, listener) => {
  const { url } = await serve(listener);
  const { scraper } = start([url], { intervalMs: 60_000 });
  await until(() => first(scraper).health !== 'unknown');
  expect(first(scraper)).toMatchObject({
    health: 'down',
    lastError: `${url} answered with more than 67108864 bytes, the limit of a page`,
  });
});

test('gzip, redirects and OpenMetrics are understood; the scrape says what it takes', async () => {
  let accept = '';
  const { url, host } = await serve((request, response) => {
    if (request.url === '/metrics') return response.writeHead(302, { location: '/real?x=1' }).end();
    accept = `${request.url} ${request.headers['accept-encoding']} ${request.headers.accept}`;
    response.writeHead(200, { 'content-type': 'application/openmetrics-text', 'content-encoding': 'gzip' });
    return response.end(gzipSync('# TYPE a counter\na_total 3 # {t="1"} 1\n# EOF\n'));
  });
  const { transport } = start([url]);
  await until(() => transport.envelopes.length > 0);
  expect(transport.scrapes()[0]).toEqual([
    `a_total{instance="${host}",job="test"} 3`,
    `up{instance="${host}",job="test"} 1`,
  ]);
  expect(accept).toMatch(
    /^\/real\?x=1 gzip application\/openmetrics-text;version=1.0.0.*text\/plain;version=0.0.4/,
  );
});

test('a page over the sample limit is refused', async () => {
  const { url } = await serve(pages('a 1\nb 1\nc 1\n'));
  const { limits } = simpleSettings({ intervalMs: 250, timeoutMs: 250 });
  const { scraper, transport } = start([url], { settings: { limits: { ...limits, samples: 2 } } });
  await until(() => first(scraper).health === 'down' && transport.envelopes.length > 0);
  expect(first(scraper).lastError).toBe(`${url} answered with 3 samples, the limit of a scrape is 2`);
  const lines = renderRequest(transport.envelopes[0]!.bytes).map((line) =>
    line.replace(/\{.*\} (\S+) .*/, ' $1'),
  );
  expect(lines).toEqual(
    expect.arrayContaining(['up 0', 'scrape_samples_scraped 3', 'scrape_samples_post_metric_relabeling 3']),
  );
});

test('samples that stand twice on a page are counted', async () => {
  const { url } = await serve(pages('a 1\na 2\n'));
  const { scraper, transport } = start([url], { intervalMs: 60_000 });
  await until(() => transport.envelopes.length === 1);
  expect(transport.scrapes()[0]).toHaveLength(2);
  expect(scraper.counts().lost.duplicate).toBe(1);
});

test('stop ends every series of every target, the report series too', async () => {
  const one = await serve(pages('a 1\n'));
  const two = await serve(pages('b 1\n'));
  const { scraper, transport } = start([one.url, two.url], { intervalMs: 60_000 });
  await until(() => transport.envelopes.length === 2);
  await scraper.stop();
  expect(transport.envelopes).toHaveLength(4);
  const last = transport.envelopes.slice(2).flatMap(({ bytes }) => renderRequest(bytes));
  expect(last.map((line) => line.replace(/\{.*\} (\S+) @.*/, ' $1')).sort()).toEqual(
    [
      ...['a', 'b'],
      ...[
        'scrape_duration_seconds',
        'scrape_samples_post_metric_relabeling',
        'scrape_samples_scraped',
        'scrape_series_added',
        'up',
      ].flatMap((name) => [name, name]),
    ].map((name) => `${name} stale`),
  );
  scraper.setTargets(resolve([{ url: one.url, job: 'late' }]));
  expect(scraper.status()).toEqual([]);
});

test('stop does not wait for a target that hangs, nor for ever for a blocked transport', async () => {
  const good = await serve(pages('a 1\n'));
  let isHanging = false;
  const hanging = await serve(() => {
    isHanging = true;
  });
  const { scraper, transport } = start([good.url, hanging.url], { intervalMs: 60_000 });
  transport.block();
  await until(() => first(scraper).health === 'up' && isHanging);
  await scraper.stop({ drainMs: 20 });
  expect(transport.envelopes).toEqual([]);
  expect(scraper.counts()).toMatchObject({ sent: 0, lost: { stopped: 6 + 6 } });
});

test('targets come and go: a removed one ends, the others go on with the same series', async () => {
  const one = await serve(pages('a 1\n'));
  const two = await serve(pages('b 1\n'));
  const { scraper, transport } = start([one.url]);
  await until(() => transport.envelopes.length > 0);
  const keep = { url: one.url, job: 'test' };
  scraper.setTargets(
    resolve([keep, { url: two.url, job: 'other', labels: { zone: 'z', instance: 'i', __x__: 'y' } }]),
  );
  await until(() => scraper.status()[1]?.health === 'up');
  expect(transport.scrapes().flat()).toContain('b{instance="i",job="other",zone="z"} 1');
  scraper.setTargets(resolve([keep]));
  await until(() => transport.scrapes().flat().includes('b{instance="i",job="other",zone="z"} stale'));
  expect(scraper.status().map(({ job }) => job)).toEqual(['test']);
  expect(
    transport
      .scrapes()
      .flat()
      .filter((line) => line.startsWith('a{') && line.endsWith('stale')),
  ).toEqual([]);
});

test('a target URL that is none is refused, and changes nothing', async () => {
  const { url } = await serve(pages('a 1\n'));
  const { scraper } = start([url]);
  const [target] = resolve([{ url, job: 'x' }]);
  expect(() => scraper.setTargets([{ ...target!, url: '127.0.0.1:9100' }])).toThrow(
    'a scrape target of "x" is not an http:// or https:// URL: "127.0.0.1:9100"',
  );
  expect(() => resolve([{ url: 'ftp://a', job: 'x' }])).toThrow(
    'a scrape target is not an http:// or https:// URL: "ftp://a"',
  );
  expect(scraper.status()).toHaveLength(1);
});

test('while the transport is blocked the oldest scrapes are dropped and counted, and the order is kept', async () => {
  let round = 0;
  const { url } = await serve((_request, response) => response.end(`a ${++round}\n`));
  const { scraper, transport } = start([url], { intervalMs: 20, queueBytesMax: 2500 });
  transport.block();
  await until(() => scraper.counts().lost.queue_full > 20);
  transport.release();
  await until(() => transport.envelopes.length > 8);
  const values = transport
    .scrapes()
    .flatMap(([line]) => (line!.startsWith('a{') ? [Number(line!.split(' ')[1])] : []));
  expect(values[0]).toBe(1);
  expect(values[1]).toBeGreaterThan(2);
  expect(values).toEqual([...values].sort((a, b) => a - b));
});

test('what the next station refuses is counted, and scraping goes on', async () => {
  const { url } = await serve(pages('a 1\n'));
  const { scraper, transport } = start([url]);
  let answered = 0;
  transport.answer = () => {
    answered++;
    if (answered === 1) throw new RefusedError('no');
    return answered === 2 ? { rejected: 2, reason: 'too old' } : { rejected: 0, reason: '' };
  };
  await until(() => scraper.counts().sent >= 4 + 6);
  expect(scraper.counts().lost).toMatchObject({ refused: 6 + 2, queue_full: 0 });
});
