/**
 * Goal: the distributed shape works as the files in deploy/ configure it: file -> agent -> Kafka -> collector -> store ->
 * query, each a process of its own, and killing the collector or the agent loses and doubles nothing.
 * Method: a real Apache Kafka; ClickHouse's HTTP interface in front of the embedded engine, as one more process; the
 * roles started with deploy/config/*.yml, with only addresses overridden, as the compose file does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeKafka } from '#test/support/kafka.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-distributed-'));
const root = join(import.meta.dirname, '../..');
const logPath = join(directory, 'var/log/pods/shop_web-1_0b5f/web/0.log');
const patience = { timeout: 60_000, interval: 250 };
const lineCountPerStep = 500;
const processes: ChildProcess[] = [];
const roles = new Map<string, SondeProcess>();

afterAll(async () => {
  for (const role of roles.values()) await role.end('SIGKILL');
  for (const child of processes) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** Prints its address when it listens. */
async function startClickhouse(): Promise<string> {
  const child = spawn(
    process.execPath,
    ['test/support/clickhouse-http.ts', '--data', join(directory, 'clickhouse'), '--port', '0'],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  processes.push(child);
  for await (const chunk of child.stdout) {
    const url = /listening on (http:\/\/\S+)/.exec(String(chunk))?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the ClickHouse test server ended');
}

async function start(
  role: 'agent' | 'collector' | 'query',
  overrides: Record<string, string>,
): Promise<SondeProcess> {
  const running = await startSonde([role, '--config', `deploy/config/${role}.yml`], {
    SONDE_RECEIVE_HOST: '127.0.0.1',
    SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
    SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
    SONDE_TELEMETRY_IS_PUSHED: 'false',
    ...overrides,
  });
  roles.set(role, running);
  return running;
}

let written = 0;
function writeLines(): void {
  for (let line = 0; line < lineCountPerStep; line++) {
    appendFileSync(logPath, `${new Date().toISOString()} stdout F line seq=${++written}\n`);
  }
}

async function storedNumbers(apiUrl: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let from = 0; from < 10; from++) {
    // Each page asks for one thousand by its digits, so that no page exceeds the limit.
    const filter = from === 0 ? '|~ "seq=[0-9]{1,3}$"' : `|~ "seq=${from}[0-9]{3}$"`;
    const query = new URLSearchParams({
      query: `{service_name="web"} ${filter}`,
      limit: '5000',
      since: '1h',
    });
    const response = await fetch(`${apiUrl}/loki/api/v1/query_range?${query}`);
    if (!response.ok) throw new Error(await response.text());
    const { data } = (await response.json()) as { data: { result: { values: [string, string][] }[] } };
    for (const { values } of data.result)
      for (const [, line] of values) numbers.push(Number(/seq=(\d+)/.exec(line)![1]));
  }
  return numbers.sort((a, b) => a - b);
}

const allWritten = (): number[] => Array.from({ length: written }, (_, index) => index + 1);

describeKafka('roles apart, with Kafka between them', (kafka) => {
  test('a line in a file is in the answer of a query, and OTLP pushed to the agent is too', {
    timeout: 120_000,
  }, async () => {
    mkdirSync(join(logPath, '..'), { recursive: true });
    const storeUrl = await startClickhouse();
    const brokers = `[${kafka().brokers.join(', ')}]`;
    const storage = { SONDE_STORE_URL: storeUrl, SONDE_STORE_PASSWORD: 'sonde' };
    const agentOverrides = {
      SONDE_TRANSPORT_KAFKA_BROKERS: brokers,
      SONDE_STORE_PATH: join(directory, 'agent'),
      SONDE_AGENT_LOGS_GLOBS: `[${join(directory, 'var/log/pods/*/*/*.log')}]`,
      SONDE_AGENT_SCRAPE_FILES: '[]',
    };
    const collectorOverrides = {
      SONDE_TRANSPORT_KAFKA_BROKERS: brokers,
      // The broker's least: a killed collector's partitions are free again sooner.
      SONDE_TRANSPORT_KAFKA_SESSION_TIMEOUT_MS: '6000',
      ...storage,
    };
    await start('collector', collectorOverrides);
    const agent = await start('agent', agentOverrides);
    const query = await start('query', {
      ...storage,
      SONDE_API_HOST: '127.0.0.1',
      SONDE_API_PORT: '0',
      SONDE_RULES_ALERTMANAGERS: '[]',
      SONDE_TRANSPORT_COLLECTOR_URL: '',
    });
    writeLines();
    await expect.poll(() => storedNumbers(query.apiUrl), patience).toEqual(allWritten());

    const pushed = encodeLogsRequest({
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'pushed' } }] },
          scopeLogs: [
            { logRecords: [{ timeUnixNano: `${Date.now()}000000`, body: { stringValue: 'by OTLP' } }] },
          ],
        },
      ],
    });
    const response = await fetch(`${agent.otlpUrl}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: pushed as Uint8Array<ArrayBuffer>,
    });
    expect(response.status).toBe(200);
    const ask = async (): Promise<string> =>
      (
        await fetch(
          `${query.apiUrl}/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="pushed"}')}`,
        )
      ).text();
    await expect.poll(ask, patience).toContain('by OTLP');

    const metric = 'node_memory_MemTotal_bytes';
    await expect
      .poll(
        async () => (await fetch(`${query.apiUrl}/prometheus/api/v1/query?query=${metric}`)).text(),
        patience,
      )
      .toContain(`"__name__":"${metric}"`);

    // The collector dies while it has work, then the agent; each is started again as an orchestrator would.
    writeLines();
    await roles.get('collector')!.end('SIGKILL');
    writeLines();
    await start('collector', collectorOverrides);
    writeLines();
    await agent.end('SIGKILL');
    writeLines();
    await start('agent', agentOverrides);
    writeLines();
    await expect.poll(() => storedNumbers(query.apiUrl), patience).toEqual(allWritten());
  });

  test('broken protobuf pushed to the agent is refused at its door', async () => {
    const response = await fetch(`${roles.get('agent')!.otlpUrl}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: 'this is not protobuf',
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/the logs request could not be decoded: .* at byte \d+/);
  });

  test('each role drains and exits 0', async () => {
    for (const name of ['agent', 'collector', 'query']) {
      const role = roles.get(name)!;
      expect(await role.end('SIGTERM'), role.output()).toBe(0);
      roles.delete(name);
    }
  });
});
