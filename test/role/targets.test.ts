/**
 * Goal: what a process scrapes is seen where a Prometheus would show it. Method: the real commands, asked over HTTP.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-targets-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Nothing listens there: a target is shown whatever becomes of its scrapes. */
const scraped = 'http://127.0.0.1:9/metrics';
const quiet = {
  SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
  SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
  SONDE_AGENT_HOST_IS_READ: 'false',
  SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  SONDE_AGENT_SCRAPE_URLS: JSON.stringify([scraped]),
};

async function urlsAt(base: string, tenant?: string): Promise<string[]> {
  const headers: Record<string, string> = tenant === undefined ? {} : { 'x-scope-orgid': tenant };
  const answer = await fetch(`${base}/api/v1/targets`, { headers });
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()) as { data: { activeTargets: { scrapeUrl: string }[] } };
  return data.activeTargets.map(({ scrapeUrl }) => scrapeUrl);
}

test('an agent shows its targets on its own port, to whoever asks', { timeout: 60_000 }, async () => {
  const agent = await startSonde(['agent', '--data', join(directory, 'agent')], {
    ...quiet,
    SONDE_AGENT_TENANT: 'acme',
    SONDE_TRANSPORT_COLLECTOR_URL: 'http://127.0.0.1:9',
  });
  expect(await urlsAt(agent.otlpUrl)).toEqual([scraped]);
  const pools = await fetch(`${agent.otlpUrl}/api/v1/scrape_pools`);
  expect(await pools.json()).toMatchObject({ status: 'success', data: { scrapePools: expect.any(Array) } });
  await agent.end('SIGKILL');
});

test('what a target says of its metrics is told once it was scraped', { timeout: 60_000 }, async () => {
  const target = createServer((_request, response) => {
    response
      .setHeader('content-type', 'text/plain')
      .end('# HELP jobs Jobs that wait.\n# TYPE jobs gauge\njobs 3\n');
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  const agent = await startSonde(['agent', '--data', join(directory, 'metadata')], {
    ...quiet,
    SONDE_AGENT_SCRAPE_URLS: JSON.stringify([`http://${host}/metrics`]),
    SONDE_TRANSPORT_COLLECTOR_URL: 'http://127.0.0.1:9',
  });
  const ask = (query: Record<string, string>) =>
    fetch(`${agent.otlpUrl}/api/v1/targets/metadata?${new URLSearchParams(query)}`);
  await expect.poll(async () => (await ask({})).status, { timeout: 30_000 }).toBe(200);
  const labels = { job: 'scrape', instance: host };
  expect(await (await ask({ match_target: '{job=~"scr.*"}' })).json()).toEqual({
    status: 'success',
    data: [{ target: labels, metric: 'jobs', type: 'gauge', help: 'Jobs that wait.', unit: '' }],
  });
  expect((await ask({ match_target: '{job="other"}' })).status).toBe(404);
  expect((await ask({ match_target: '{job=' })).status).toBe(400);
  await agent.end('SIGKILL');
  target.close();
});

test('sonde up shows them on the query API, to the tenant whose they are', { timeout: 60_000 }, async () => {
  const sonde = await startSonde(['up', '--port', '0', '--data', join(directory, 'up')], quiet);
  expect(await urlsAt(sonde.apiUrl)).toEqual([scraped]);
  expect(await urlsAt(`${sonde.apiUrl}/prometheus`)).toEqual([scraped]);
  expect(await urlsAt(sonde.apiUrl, 'other')).toEqual([]);
  expect(await sonde.end('SIGTERM')).toBe(0);
});
