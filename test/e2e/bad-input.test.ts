/**
 * Goal: a person who gets something wrong reads what is wrong, where, and what to do.
 * Method: start the real command the way they did, and read what they read.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSonde, type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-bad-input-'));
const freePorts = ['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
let sonde: SondeProcess;

beforeAll(async () => {
  sonde = await startSonde(['up', '--data', join(directory, 'data'), ...freePorts], {
    SONDE_AGENT_HOST_IS_READ: 'false',
    SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  });
});
afterAll(async () => {
  await sonde?.end('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
});

test('an unknown key names file, line and the nearest key, and nothing starts', async () => {
  const path = join(directory, 'typo.yml');
  writeFileSync(path, 'store:\n  path: ./data\n  retension: 7d\n');
  const { code, output } = await runSonde(['up', '--config', path]);
  expect(code).toBe(2);
  expect(output).toBe(`sonde: ${path}:3: unknown key "store.retension", did you mean "store.retention"?\n`);
});

test('a configuration file that is not there is named', async () => {
  const { code, output } = await runSonde(['up', '--config', '/no/such.yml']);
  expect(code).toBe(2);
  expect(output).toMatch(/^sonde: cannot read the configuration file \/no\/such\.yml: ENOENT/);
});

test('a retention that is no duration says what one looks like', async () => {
  const { code, output } = await runSonde(['check', '--retention', 'a month']);
  expect(code).toBe(2);
  expect(output).toBe(
    'sonde: command line: store.retention: expected a duration such as 30d, 12h30m or 0, got "a month"\n',
  );
});

test('a port in use names the port and the flag', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { code, output } = await runSonde([
    'up',
    '--data',
    join(directory, 'other'),
    ...freePorts.slice(2),
    '--port',
    String(port),
  ]);
  server.close();
  expect(code).toBe(2);
  expect(output).toContain(
    `sonde: the query API cannot listen on 127.0.0.1:${port}: the port is in use. Stop the other process, or choose another port with --port\n`,
  );
});

test('a data directory that another process holds is named, with the flag', async () => {
  const { code, output } = await runSonde(['up', '--data', join(directory, 'data'), ...freePorts]);
  expect(code).toBe(2);
  expect(output).toContain(
    `data directory ${join(directory, 'data', 'clickhouse')} is in use by another sonde process`,
  );
  expect(output).toContain('--data');
});

test('a query with a mistake is 400 with its position, in each language', async () => {
  const prometheus = await fetch(
    `${sonde.apiUrl}/prometheus/api/v1/query?query=${encodeURIComponent('sum(rate(x[5m])')}`,
  );
  expect(prometheus.status).toBe(400);
  expect(await prometheus.json()).toMatchObject({
    status: 'error',
    errorType: 'bad_data',
    error: expect.stringMatching(/1:\d+: parse error: unclosed left parenthesis/),
  });
  const loki = await fetch(
    `${sonde.apiUrl}/loki/api/v1/query_range?query=${encodeURIComponent('{app="x"} |= ')}`,
  );
  expect(loki.status).toBe(400);
  expect(await loki.text()).toMatch(/parse error at line 1, col \d+/);
});

test('broken protobuf is 400 with the byte position, and the process lives on', async () => {
  const response = await fetch(`${sonde.otlpUrl}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: 'this is not protobuf',
  });
  expect(response.status).toBe(400);
  expect(await response.text()).toMatch(/the logs request could not be decoded: .* at byte \d+/);
  expect((await fetch(`${sonde.apiUrl}/ready`)).status).toBe(200);
});

test('--print-config shows each value and where it came from', async () => {
  const { code, output } = await runSonde(['up', '--port', '5000', '--print-config'], {
    SONDE_STORE_PASSWORD: 'hunter2',
  });
  expect(code).toBe(0);
  expect(output).toContain('api.port: 5000  # command line\n');
  expect(output).toContain('store.password: ***  # environment SONDE_STORE_PASSWORD\n');
  expect(output).toContain('store.retention: 30d  # default\n');
  expect(output).not.toContain('hunter2');
});
