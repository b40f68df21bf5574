/**
 * Goal: `sonde store ...` does for an operator what its help says, with the process running and without it.
 * Method: the real command beside a real process on one data directory, and what both print.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { migrations } from '#store/migrate.ts';
import type { StoreStatus } from '#store/operations/store-status.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { runSonde, type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

// Each command is a process that loads the engine: a busy machine takes seconds for one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const directory = mkdtempSync(join(tmpdir(), 'sonde-store-command-'));
const data = join(directory, 'data');
const backups = join(directory, 'backups');
const secret = 'never-to-be-printed';
const environment = {
  SONDE_AGENT_HOST_IS_READ: 'false',
  SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  SONDE_TELEMETRY_IS_PUSHED: 'false',
  SONDE_STORE_BACKUP_PATH: backups,
};
let sonde: SondeProcess | undefined;

afterAll(async () => {
  await sonde?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const store = (args: readonly string[], more: Record<string, string> = {}) =>
  runSonde(['store', ...args], more);
const portOf = (url: string | undefined): string => new URL(url ?? '').port;

/** Records of `logs`. */
async function storedLogs(at: string, port = '1'): Promise<number | undefined> {
  const { output } = await store(['status', '--json', '--data', at, '--port', port]);
  const status = JSON.parse(output) as StoreStatus;
  const rows = status.tables.find(({ table }) => table === 'logs')?.rows;
  // Each request leaves a note beside its one record.
  return rows === undefined ? undefined : rows / 2;
}

async function pushLog(text: string, timeUnixNano = '1700000000000000000'): Promise<void> {
  const body = encodeLogsRequest({
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano, body: { stringValue: text } }] }] }],
  });
  const response = await fetch(`${sonde?.otlpUrl}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: new Blob([new Uint8Array(body)]),
  });
  expect(response.status).toBe(200);
}

test('where there is no store, none is made', async () => {
  const { code, output } = await store(['status', '--data', data, '--port', '1']);
  expect({ code, output }).toEqual({
    code: 2,
    output: `sonde: there is no store in ${data}: give its directory with --data\n`,
  });
  expect(existsSync(data)).toBe(false);
});

test('migrate --print needs no store, and spreads over a cluster', async () => {
  const one = await store(['migrate', '--print']);
  expect(one.output).toContain('CREATE TABLE IF NOT EXISTS logs (');
  const cluster = await store(['migrate', '--print', '--cluster', 'main']);
  expect(cluster.output).toContain("CREATE TABLE IF NOT EXISTS logs_local ON CLUSTER 'main' (");
  expect((await store(['migrate', '--print', '--cluster', "x'; DROP"])).code).toBe(2);
  expect(await store(['migrate', '--cluster', 'main', '--data', directory])).toEqual({
    code: 2,
    output: `sonde: there is no store in ${directory}: give its directory with --data\n`,
  });
});

describe('while a process runs', () => {
  let port: string;
  beforeAll(async () => {
    const flags = ['--data', data, '--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
    sonde = await startSonde(['up', ...flags, '--retention', '0'], environment);
    port = portOf(sonde.apiUrl);
    await pushLog('one');
  });

  test('status is what the process says', async () => {
    expect(await storedLogs(data, port)).toBe(1);
    const { output } = await store(['status', '--data', data, '--port', port]);
    expect(output).toMatch(/^logs +2 .*2023-11-14 +2023-11-14 +10000$/m);
    expect(output).toMatch(/^days left {2}unknown: too little history$/m);
  });

  test('its metrics have the bytes of each table', async () => {
    const text = await (await fetch(`${sonde?.apiUrl}/metrics`)).text();
    expect(Number(/^sonde_store_disk_bytes\{table="logs".*\} (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
  });

  test('a port where nobody answers, and a process with another directory, are told apart from a broken store', async () => {
    const { code, output } = await store(['status', '--data', data, '--port', '1']);
    expect(code).toBe(2);
    expect(output).toContain(
      `sonde: another process holds ${data}, and the query API of none that does answers at http://127.0.0.1:1: give its port with --port, or stop the process\n`,
    );
    const other = await store(['status', '--data', join(directory, 'other'), '--port', port]);
    expect(other.output).toContain(`there is no store in ${join(directory, 'other')}`);
  });

  test('verify and restore say who is in the way', async () => {
    for (const args of [['verify'], ['restore', join(backups, 'running')]]) {
      const { code, output } = await store([...args, '--data', data, '--port', port]);
      expect(code).toBe(2);
      expect(output).toContain('is in use by another sonde process: stop it');
    }
  });

  test('backup is written by the process, where it may write', async () => {
    const { code, output } = await store([
      'backup',
      join(backups, 'running'),
      '--data',
      data,
      '--port',
      port,
    ]);
    expect(output).toMatch(new RegExp(`^${join(backups, 'running')} holds \\d+ files, `, 'm'));
    expect(code).toBe(0);
    const outside = await store(['backup', join(directory, 'elsewhere'), '--data', data, '--port', port]);
    expect(outside.code).toBe(2);
    expect(outside.output).toContain(
      `${join(directory, 'elsewhere')} is not below store.backup_path (${backups})`,
    );
    expect(existsSync(join(directory, 'elsewhere'))).toBe(false);
  });

  test('the API refuses what is no backup', async () => {
    const api = `${sonde?.apiUrl}/sonde/api/v1/store/backups`;
    const post = async (body: object) => {
      const headers = { 'content-type': 'application/json' };
      return (await fetch(api, { method: 'POST', headers, body: JSON.stringify(body) })).status;
    };
    expect(await post({})).toBe(400);
    expect(await post({ destination: join(backups, '../escaped') })).toBe(400);
    expect(await post({ destination: 'http://169.254.169.254/x' })).toBe(400);
    expect((await fetch(`${api}/unheard-of`)).status).toBe(404);
  });
});

describe('after it has stopped', () => {
  beforeAll(async () => {
    await pushLog('two');
    expect(await sonde?.end('SIGTERM')).toBe(0);
    sonde = undefined;
  });

  test('status, migrate and verify open the directory themselves', async () => {
    expect(await storedLogs(data)).toBe(2);
    expect(await store(['migrate', '--data', data])).toEqual({
      code: 0,
      output: 'the schema is up to date\n',
    });
    const { code, output } = await store(['verify', '--data', data]);
    expect(output).toMatch(/\n\d+ tables, \d+ rows, 0 faults\n$/);
    expect(code).toBe(0);
  });

  test('a whole backup and an incremental one, restored into new directories', async () => {
    const next = join(backups, 'stopped');
    const made = await store(['backup', next, '--base', join(backups, 'running'), '--data', data]);
    expect(made.code).toBe(0);
    for (const [source, rows] of [
      [join(backups, 'running'), 1],
      [next, 2],
    ] as const) {
      const target = join(directory, `restored-${rows}`);
      const { code, output } = await store(['restore', source, '--data', target]);
      expect(output).toMatch(new RegExp(`^restored \\d+ rows .* from ${source}$`, 'm'));
      expect(code).toBe(0);
      expect(await storedLogs(target)).toBe(rows);
      expect((await store(['verify', '--data', target])).code).toBe(0);
      const again = await store(['restore', source, '--data', target]);
      expect(again.code).toBe(2);
      expect(again.output).toContain('a restore needs an empty store, but there are rows in');
    }
  });

  test('a secret is in no output, also when S3 does not answer', async () => {
    const { code, output } = await store(['backup', 's3://bucket/x', '--data', data], {
      SONDE_STORE_BACKUP_S3_URL: 'http://127.0.0.1:1',
      SONDE_STORE_BACKUP_S3_KEY_ID: 'AKIDEXAMPLE',
      SONDE_STORE_BACKUP_S3_SECRET: secret,
    });
    expect(code).toBe(1);
    expect(output).toContain('BACKUP_FAILED');
    expect(output).not.toContain(secret);
  });

  test('migrate --dry-run lists and changes nothing', async () => {
    const fresh = join(directory, 'restored-1');
    const { openEmbeddedStore } = await import('#store/embedded/embedded-store.ts');
    const opened = await openEmbeddedStore({ path: join(fresh, 'clickhouse') });
    await opened.exec('TRUNCATE TABLE schema_migrations');
    await opened.close();
    const listed = migrations.map(({ version, name }) => `${version} ${name}\n`);
    const dry = { code: 0, output: listed.map((line) => `would apply ${line}`).join('') };
    expect(await store(['migrate', '--dry-run', '--data', fresh])).toEqual(dry);
    expect(await store(['migrate', '--dry-run', '--data', fresh])).toEqual(dry);
    expect(await store(['migrate', '--data', fresh])).toEqual({
      code: 0,
      output: listed.map((line) => `applies ${line}`).join(''),
    });
    const broken = await store(['verify', '--data', fresh]);
    expect(broken.output).toMatch(/, 0 faults\n$/);
  });
});

test('above its byte budget a process drops the oldest partitions, and says which and why', async () => {
  const target = join(directory, 'budget');
  const flags = ['--data', target, '--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
  sonde = await startSonde(['up', ...flags, '--retention', '0'], {
    ...environment,
    SONDE_STORE_BYTES_MAX: '1',
    SONDE_STORE_SWEEP_INTERVAL_MS: '200',
  });
  await pushLog('newer', '1700200000000000000');
  await pushLog('older');
  await expect.poll(() => sonde?.output(), { timeout: 20_000 }).toContain('partitions were dropped');
  expect(await storedLogs(target, portOf(sonde.apiUrl))).toBe(1);
  const text = await (await fetch(`${sonde.apiUrl}/metrics`)).text();
  expect(text).toMatch(/^sonde_store_dropped_rows_total\{table="logs",reason="budget".*\} 2$/m);
  expect(sonde.output()).toContain('the newest partitions alone exceed store.bytes_max: they are kept');
  await sonde.end('SIGTERM');
  sonde = undefined;
});
