/**
 * Goal: what real exporters answer is read the same in every format they have.
 * Method: Debian's Prometheus and node_exporter as targets; each protocol asked for alone, the sets of series compared.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TargetClient } from '#agent/scrape/http/target-client.ts';
import { PageBuffer } from '#agent/scrape/page-buffer.ts';
import { fetchPage } from '#agent/scrape/page-fetch.ts';
import type { ScrapeProtocol } from '#agent/scrape/scrape-settings.ts';
import type { PageFormat } from '#agent/scrape/scraped-page.ts';
import { freePort, hasTool, type RunningTool, startTool } from '#test/support/debian-tool.ts';
import { until } from './memory-transport.ts';
import { PageTarget } from './page-target.ts';
import { simpleSettings } from './simple-target.ts';

const isThere =
  hasTool('prometheus', 'prometheus') && hasTool('prometheus-node-exporter', 'prometheus-node-exporter');

const formats: readonly (readonly [ScrapeProtocol, PageFormat])[] = [
  ['PrometheusText0.0.4', 'text'],
  ['PrometheusText1.0.0', 'text'],
  // Neither exporter offers it: they fall back to text, and say so.
  ['OpenMetricsText1.0.0', 'text'],
  ['PrometheusProto', 'protobuf'],
];

describe.skipIf(!isThere)('real exporters', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-real-targets-'));
  const tools: RunningTool[] = [];
  const urls: string[] = [];

  beforeAll(async () => {
    const [exporterPort, prometheusPort] = [await freePort(), await freePort()];
    const exporterUrl = `127.0.0.1:${exporterPort}`;
    tools.push(startTool('prometheus-node-exporter', [`--web.listen-address=${exporterUrl}`], directory));
    writeFileSync(join(directory, 'prometheus.yml'), '{}');
    const prometheusUrl = `127.0.0.1:${prometheusPort}`;
    const prometheusArgs = ['--config.file=prometheus.yml', `--web.listen-address=${prometheusUrl}`];
    tools.push(startTool('prometheus', [...prometheusArgs, '--storage.tsdb.path=data'], directory));
    urls.push(`http://${exporterUrl}/metrics`, `http://${prometheusUrl}/metrics`);
    for (const url of urls)
      await until(() =>
        fetch(url).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
  }, 30_000);

  afterAll(async () => {
    for (const tool of tools) await tool[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  /** Returns the series of the page, with start times where they have some. */
  async function scrape(url: string, protocol: ScrapeProtocol, wanted: PageFormat): Promise<string[]> {
    const client = new TargetClient({ isFollowingRedirects: true });
    const buffer = new PageBuffer();
    const settings = { ...simpleSettings({ intervalMs: 10_000, timeoutMs: 10_000 }), protocols: [protocol] };
    const abort = new AbortController().signal;
    const { format, statedType } = await fetchPage({ url: new URL(url), client, settings, buffer, abort });
    client.close();
    expect({ format, statedType }).toEqual({ format: wanted, statedType: '' });
    return new PageTarget({ isTakingNativeHistograms: false }).scrape(buffer.page, format);
  }

  test.each([0, 1])('exporter %i has the same series in each format', { timeout: 30_000 }, async (number) => {
    const url = urls[number]!;
    const series = (lines: readonly string[]): string[] =>
      lines
        .map((line) => line.replace(/^(\S+\{.*?\}) \S+ @.*/, '$1'))
        // What the exporter says of requests to itself depends on those before.
        .filter((line) => !/^(?:promhttp|prometheus_http|scrape_|net_conntrack)/.test(line))
        .sort();
    await scrape(url, 'PrometheusText0.0.4', 'text');
    const expected = series(await scrape(url, 'PrometheusText0.0.4', 'text'));
    expect(expected.length).toBeGreaterThan(100);
    for (const [protocol, format] of formats) {
      expect(series(await scrape(url, protocol, format)), protocol).toEqual(expected);
    }
  });

  test('counters of a protobuf page say since when they count', async () => {
    const lines = await scrape(urls[1]!, 'PrometheusProto', 'protobuf');
    expect(lines.find((line) => line.startsWith('go_memstats_alloc_bytes{'))).toMatch(/ gauge "/);
    expect(lines.find((line) => line.startsWith('process_cpu_seconds_total{'))).toMatch(/ counter "/);
    expect(lines.some((line) => line.startsWith('prometheus_http_request_duration_seconds_bucket{'))).toBe(
      true,
    );
  });
});
