/**
 * Goal: `sonde load` proves that nothing is lost or doubled when everything is killed in the middle, and its proof is
 * worth something: what is missing, repeated or altered in the store is named.
 * Method: the real commands as processes on free ports. The store with faults is made through the front door, of
 * requests that leave numbers out, send others twice and change one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logSignal } from '#load/push/log-signal.ts';
import { otlpRepeats, push } from '#load/push/push-client.ts';
import type { PushSignal } from '#load/push/push-signal.ts';
import { sampleSignal } from '#load/push/sample-signal.ts';
import { spanSignal } from '#load/push/span-signal.ts';
import type { RunReport } from '#load/run-report.ts';
import type { Verdict } from '#load/verify/verify-run.ts';
import { eventually } from '#test/support/eventually.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-load-'));
const logs = join(directory, 'logs');
const root = join(import.meta.dirname, '../..');
let sonde: SondeProcess;

async function startUp(ports: { api: string; http: string; grpc: string }): Promise<SondeProcess> {
  const listen = ['--port', ports.api, '--otlp-http-port', ports.http, '--otlp-grpc-port', ports.grpc];
  const globs = ['*/*/*.log', '*/*-json.log', '*.log'].flatMap((glob) => ['--logs', join(logs, glob)]);
  return startSonde(['up', '--data', join(directory, 'data'), ...listen, ...globs], {
    SONDE_AGENT_HOST_INTERVAL_MS: '60000',
  });
}

beforeAll(async () => {
  sonde = await startUp({ api: '0', http: '0', grpc: '0' });
});
afterAll(async () => {
  await sonde?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly report: RunReport | null;
  readonly verdict: Verdict | null;
  readonly messages: string;
}

/** Runs `sonde load`; `onBegin` is called when it has begun to write. */
async function load(args: readonly string[], onBegin = (): void => undefined): Promise<Outcome> {
  const child = spawn(process.execPath, ['main.ts', 'load', '--json', ...args], { cwd: root });
  let output = '';
  let messages = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (messages === '' && chunk.includes('begins')) onBegin();
    messages += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const parsed = (output === '' ? {} : JSON.parse(output)) as Partial<Outcome>;
  return { code, messages, report: parsed.report ?? null, verdict: parsed.verdict ?? null };
}

test('kill -9 of everything in the middle of a load, then a restart: each record is stored once', {
  timeout: 90_000,
}, async () => {
  const ports = {
    api: new URL(sonde.apiUrl).port,
    http: new URL(sonde.otlpUrl).port,
    grpc: sonde.grpcAddress.split(':').at(-1)!,
  };
  let restarted: Promise<void> | undefined;
  const restart = async (): Promise<void> => {
    // Not before something of the run is stored: the kill is to hit the middle of it.
    await eventually(async () => {
      const query = encodeURIComponent('{service_name=~".+"} |= "sender=log-file-1 "');
      const response = await fetch(`${sonde.apiUrl}/loki/api/v1/query_range?limit=1&query=${query}`);
      return (await response.text()).includes('log-file-1');
    });
    await sonde.end('SIGKILL');
    sonde = await startUp(ports);
  };
  const verify = ['--verify', '--url', sonde.apiUrl, '--agent', sonde.apiUrl];
  const formats = ['--containers', '3', '--format', 'cri,docker,plain', '--rotate-keep', '100'];
  const copying = load([
    ...['--seconds', '8', '--rate', '300', '--run', 'copied', '--log-files', logs, ...formats],
    ...['--rotate', 'copytruncate', '--rotate-bytes', '150000', ...verify],
  ]);
  const { code, report, verdict, messages } = await load(
    [
      ...['--seconds', '8', '--rate', '800', '--run', 'killed'],
      ...['--log-files', logs, ...formats, '--rotate-bytes', '60000'],
      ...['--otlp', sonde.otlpUrl, '--remote-write', sonde.otlpUrl, ...verify],
    ],
    () => {
      restarted = restart();
    },
  );
  await restarted;
  expect(report!.senders.filter(({ written, acknowledged }) => written !== acknowledged)).toEqual([]);
  const faults = verdict!.senders.filter((sender) => sender.stored !== sender.written || sender.repeated > 0);
  expect(faults, messages).toEqual([]);
  expect(verdict).toMatchObject({ isExact: true, strangers: 0, agentLost: {} });
  expect(code).toBe(0);
  // It was a load that could have gone wrong: every sender was at work, files were rotated, requests came to nothing.
  expect(report!.senders.map(({ kind }) => kind)).toEqual([
    ...['log_file', 'log_file', 'log_file', 'otlp_logs', 'otlp_logs'],
    ...['otlp_spans', 'otlp_spans', 'samples', 'samples'],
  ]);
  expect(report!.senders.reduce((sum, { written }) => sum + written, 0)).toBe(6400);
  for (const { kind, rotations, retries } of report!.senders) {
    expect(kind === 'log_file' ? rotations : retries).toBeGreaterThan(0);
  }

  const copied = await copying;
  expect(copied.verdict!.senders.map(({ stored, missing, repeated }) => [stored, missing, repeated])).toEqual(
    [
      [800, 0, 0],
      [800, 0, 0],
      [800, 0, 0],
    ],
  );
  expect(copied.code).toBe(0);
  for (const { rotations } of copied.report!.senders) expect(rotations).toBeGreaterThan(1);
});

/** Sends the numbers as one request of its own time. */
async function send(signal: PushSignal, numbers: readonly number[], change?: (body: Buffer) => Buffer) {
  for (const seq of numbers) signal.add(seq, Date.now());
  const body = Buffer.from(signal.finish());
  const request = {
    url: sonde.otlpUrl + signal.path,
    headers: signal.headers,
    body: change === undefined ? body : change(body),
    repeats: otlpRepeats,
  };
  const answer = await push(request, AbortSignal.timeout(20_000), () => undefined);
  expect(signal.fault(answer, numbers.length)).toBe('');
}

test('a verification names what is missing, repeated and altered', async () => {
  const shape = { lineBytes: 100, isSingleLine: false };
  await send(logSignal('faulty', 'otlp-logs-1', shape), [1, 2, 3, 4, 5, 8, 9]);
  await send(logSignal('faulty', 'otlp-logs-1', shape), [3]);
  // A byte of the tenth record is another one.
  await send(logSignal('faulty', 'otlp-logs-1', shape), [10], (body) =>
    Buffer.from(body.toString('latin1').replace('order placed', 'order-placed'), 'latin1'),
  );
  await send(logSignal('faulty', 'otlp-logs-2', shape), [1, 2, 4]);
  await send(spanSignal('faulty', 'otlp-spans-1', 4), [1, 2, 3, 4, 5, 6, 8]);
  await send(spanSignal('faulty', 'otlp-spans-1', 4), [2]);
  await send(sampleSignal('faulty', 'samples-1', 2), [1, 2, 3, 5]);
  await send(sampleSignal('faulty', 'samples-1', 2), [5]);
  const sent = { target: '', retries: 0, rotations: 0, failure: '' };
  const report: RunReport = {
    version: 1,
    run: 'faulty',
    tenant: 'default',
    startedUnixMs: Date.now() - 60_000,
    endedUnixMs: Date.now(),
    spansPerTrace: 4,
    seriesCount: 2,
    agentLost: null,
    senders: [
      { name: 'otlp-logs-1', kind: 'otlp_logs', written: 10, acknowledged: 10, ...sent },
      // The third number was never acknowledged, and is not there; nor did it write a fourth.
      { name: 'otlp-logs-2', kind: 'otlp_logs', written: 3, acknowledged: 2, ...sent },
      { name: 'otlp-spans-1', kind: 'otlp_spans', written: 8, acknowledged: 8, ...sent },
      { name: 'samples-1', kind: 'samples', written: 5, acknowledged: 5, ...sent },
    ],
  };
  const path = join(directory, 'report.json');
  writeFileSync(path, JSON.stringify(report));
  const args = ['--verify', '--url', sonde.apiUrl, '--settle', '2'];
  const { code, verdict } = await load([...args, '--report', path]);
  const found = (name: string) => verdict!.senders.find((sender) => sender.name === name);
  expect(found('otlp-logs-1')).toMatchObject({
    ...{ stored: 8, missing: 2, missingRanges: [[6, 7]], repeated: 1, repeatedFirst: [3] },
    ...{ altered: 1, alteredFirst: [10], unexpected: 0 },
  });
  expect(found('otlp-logs-2')).toMatchObject({ stored: 2, missing: 0, unexpected: 1, unexpectedFirst: [4] });
  expect(found('otlp-spans-1')).toMatchObject({
    ...{ stored: 7, missing: 1, missingRanges: [[7, 7]], repeated: 1, repeatedFirst: [2], altered: 0 },
  });
  expect(found('samples-1')).toMatchObject({ stored: 4, missing: 1, missingRanges: [[4, 4]], repeated: 1 });
  expect(code).toBe(1);

  // Without the report, the highest number stands for what was written.
  const { code: codeByRun, verdict: byRun } = await load([
    ...args,
    ...['--run', 'faulty', '--spans-per-trace', '4', '--series', '2'],
  ]);
  expect(
    byRun!.senders.map(({ name, missing, repeated }) => `${name} -${missing} +${repeated}`).sort(),
  ).toEqual(['otlp-logs-1 -2 +1', 'otlp-logs-2 -1 +0', 'otlp-spans-1 -1 +1', 'samples-1 -1 +1']);
  expect(codeByRun).toBe(1);
});

test('a run that is nowhere is not exact, and wrong flags are exit code 2', async () => {
  const { code, verdict } = await load([
    '--verify',
    '--url',
    sonde.apiUrl,
    '--run',
    'absent',
    '--settle',
    '1',
  ]);
  expect(verdict).toMatchObject({ isExact: false, senders: [] });
  expect(code).toBe(1);
  expect(await load(['--seconds', '1'])).toMatchObject({
    code: 2,
    messages: 'sonde: a load needs a target: --log-files DIR, --otlp URL, --remote-write URL\n',
  });
  expect((await load(['--no-such-flag'])).code).toBe(2);
});
