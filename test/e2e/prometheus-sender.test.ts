/**
 * Goal: a real Prometheus that scrapes a real node_exporter and writes to Sonde finds there what it has itself.
 * Method: Debian's packages of both; the same instant queries, at a time that both have, to both APIs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, hasTool, type RunningTool, startTool } from '#test/support/debian-tool.ts';
import { eventually } from '#test/support/eventually.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const isThere =
  hasTool('prometheus', 'prometheus') && hasTool('prometheus-node-exporter', 'prometheus-node-exporter');

interface InstantAnswer {
  readonly status: string;
  readonly data: { readonly result: { metric: Record<string, string>; value: [number, string] }[] };
}

describe.skipIf(!isThere)('Prometheus as a remote write sender', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-prometheus-'));
  let sonde: SondeProcess;
  let exporter: RunningTool;
  let prometheus: RunningTool;
  let prometheusUrl = '';

  beforeAll(async () => {
    sonde = await startSonde(
      [
        'up',
        '--data',
        join(directory, 'data'),
        '--port',
        '0',
        '--otlp-http-port',
        '0',
        '--otlp-grpc-port',
        '0',
      ],
      { SONDE_AGENT_HOST_IS_READ: 'false', SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false' },
    );
    const [exporterPort, prometheusPort] = [await freePort(), await freePort()];
    exporter = startTool(
      'prometheus-node-exporter',
      [`--web.listen-address=127.0.0.1:${exporterPort}`],
      directory,
    );
    writeFileSync(
      join(directory, 'prometheus.yml'),
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'node', static_configs: [{ targets: [`127.0.0.1:${exporterPort}`] }] }],
        remote_write: [
          {
            url: `${sonde.otlpUrl}/api/v1/write`,
            metadata_config: { send_interval: '1s' },
            queue_config: { batch_send_deadline: '1s' },
          },
        ],
      }),
    );
    prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
    prometheus = startTool(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${prometheusPort}`,
      ],
      directory,
    );
  });
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await exporter?.[Symbol.asyncDispose]();
    await sonde?.end('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  });

  async function ask(baseUrl: string, query: string, time: number): Promise<string[]> {
    const answer = await fetch(
      `${baseUrl}/api/v1/query?${new URLSearchParams({ query, time: String(time) })}`,
    );
    const { data } = (await answer.json()) as InstantAnswer;
    return data.result
      .map(({ metric, value }) => `${JSON.stringify(Object.entries(metric).sort())} ${value[1]}`)
      .sort();
  }

  test('every series has the same labels and value in both', async () => {
    const sondeUrl = `${sonde.apiUrl}/prometheus`;
    // A scrape is written in several requests: the one before the newest is whole in both.
    const time = await eventually(
      async () => {
        const query = 'timestamp(up{job="node"}) and count_over_time(up{job="node"}[1m]) > 3';
        const [newest] = await ask(sondeUrl, query, Date.now() / 1000).catch(() => []);
        return newest === undefined ? undefined : Number(newest.split(' ').at(-1)) - 1;
      },
      () => prometheus.output().slice(-500),
    );
    for (const query of ['{__name__=~"node_.+"}', 'up', 'sum by (mode) (node_cpu_seconds_total)']) {
      const theirs = await ask(prometheusUrl, query, time);
      expect(theirs.length).toBeGreaterThan(0);
      expect(await ask(sondeUrl, query, time)).toEqual(theirs);
    }
  });

  test('metadata arrives too', async () => {
    const type = await eventually(async () => {
      const answer = await fetch(`${sonde.apiUrl}/prometheus/api/v1/metadata?metric=node_cpu_seconds_total`);
      const { data } = (await answer.json()) as { data: Record<string, { type: string }[]> };
      return data.node_cpu_seconds_total?.[0]?.type;
    });
    expect(type).toBe('counter');
  });
});
