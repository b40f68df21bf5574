/**
 * Goal: each target has its own times within the interval, and keeps them.
 * Method: phases of many targets; two real targets at a short interval, by the times of their samples.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { scrapePhase, startScraper, targetIdentity } from '#agent/scrape/scraper.ts';
import { renderRequest } from '#test/wire/remote-write/request-text.ts';
import { MemoryTransport, until } from './memory-transport.ts';
import { resolveSimpleTargets, type ScrapeTarget, simpleSettings } from './simple-target.ts';

const intervalMs = 200;

function resolve(targets: readonly ScrapeTarget[]): ResolvedTarget[] {
  return resolveSimpleTargets(targets, simpleSettings({ intervalMs, timeoutMs: intervalMs }));
}

test('targets are spread over the interval, at the same times on every start', () => {
  const phase = (target: ScrapeTarget): number => scrapePhase(targetIdentity(resolve([target])[0]!));
  const phases = Array.from({ length: 200 }, (_, i) =>
    phase({ url: `http://10.0.0.${i}:9100/metrics`, job: 'node' }),
  );
  expect(new Set(phases.map((part) => Math.floor(part * 15)))).toEqual(
    new Set(Array.from({ length: 15 }, (_, i) => i)),
  );
  expect(phase({ url: 'http://10.0.0.7:9100/metrics', job: 'node', labels: {} })).toBe(phases[7]);
});

test('scrapes keep to their times within the interval', async () => {
  const server = createServer((_request, response) => response.end('a 1\n'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const targets = resolve([
    { url: `${url}/one`, job: 'one' },
    { url: `${url}/two`, job: 'two' },
  ]);
  const transport = new MemoryTransport();
  const scraper = startScraper({ targets, transport, tenant: 'acme', log: pino({ enabled: false }) });
  await until(() => transport.envelopes.length >= 7);
  await scraper.stop();
  server.closeAllConnections();
  server.close();
  for (const target of targets) {
    const offset = Math.floor(scrapePhase(targetIdentity(target)) * intervalMs);
    const times = transport.envelopes.flatMap(({ bytes }) =>
      renderRequest(bytes)
        .filter((line) => line.startsWith('up{') && line.includes(`job="${target.scrapePool}"} 1`))
        .map((line) => Number(line.split('@')[1]!.split(' ')[0])),
    );
    // A timer is never early by more than a millisecond; how late it is depends on the machine.
    const phases = times.slice(1).map((time) => (time - offset + 1) % intervalMs);
    expect(phases.length).toBeGreaterThan(1);
    expect(Math.min(...phases)).toBeLessThan(intervalMs / 2);
  }
});
