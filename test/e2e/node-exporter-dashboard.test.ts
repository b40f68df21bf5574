/**
 * Goal: a dashboard of node_exporter works. Method: Debian's node_exporter, scraped by the real process; every expression
 * of such a dashboard as instant and as range query in the form in which Grafana sends it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, hasTool, type RunningTool, startTool } from '#test/support/debian-tool.ts';
import { eventually } from '#test/support/eventually.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';
import { nodeExporterExpressions } from './node-exporter-expressions.ts';

/** A virtual machine has no sensors, batteries or systemd: so many expressions have an answer at least. */
const answeredMin = 100;

describe.skipIf(!hasTool('prometheus-node-exporter', 'prometheus-node-exporter'))(
  'a node_exporter dashboard',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-dashboard-'));
    let sonde: SondeProcess;
    let exporter: RunningTool;

    beforeAll(async () => {
      const port = await freePort();
      exporter = startTool('prometheus-node-exporter', [`--web.listen-address=127.0.0.1:${port}`], directory);
      sonde = await startSonde(['up', '--data', join(directory, 'data'), '--port', '0'], {
        SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
        SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
        SONDE_AGENT_HOST_IS_READ: 'false',
        SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
        SONDE_AGENT_SCRAPE_INTERVAL_MS: '1000',
        SONDE_AGENT_SCRAPE_TARGETS: JSON.stringify([
          { url: `http://127.0.0.1:${port}/metrics`, job: 'node' },
        ]),
      });
    });
    afterAll(async () => {
      await sonde?.end('SIGTERM');
      await exporter?.[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    async function ask(
      path: string,
      form: Record<string, string>,
    ): Promise<{ status: number; count: number }> {
      const reply = await fetch(`${sonde.apiUrl}/prometheus/api/v1/${path}`, {
        method: 'POST',
        headers: { 'accept-encoding': 'gzip' },
        body: new URLSearchParams(form),
      });
      const { data, error } = (await reply.json()) as { data?: { result: unknown[] }; error?: string };
      if (data === undefined) throw new Error(`${form.query}: ${reply.status} ${error}`);
      return { status: reply.status, count: data.result.length };
    }

    test('every expression is answered', { timeout: 120_000 }, async () => {
      const at = await eventually(async () => {
        const { count } = await ask('query', { query: 'count_over_time(up{job="node"}[1m]) > 5' });
        return count > 0 ? Date.now() / 1000 : undefined;
      });
      const range = { start: String(Math.floor(at) - 30), end: String(Math.floor(at)), step: '5' };
      let answeredCount = 0;
      for (const query of nodeExporterExpressions) {
        const instant = await ask('query', { query, time: String(at) });
        await ask('query_range', { query, ...range });
        if (instant.count > 0) answeredCount++;
      }
      expect(answeredCount).toBeGreaterThan(answeredMin);
    });
  },
);
