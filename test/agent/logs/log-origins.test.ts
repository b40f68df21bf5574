/**
 * Goal: what is known of a writer is in its records, late or not, and changes nothing that was sent.
 * Method: an agent with a table of origins that the test changes, real files, and a transport that can die.
 */
import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import { compileGlob } from '#agent/logs/tail/file-glob.ts';
import type { FileOrigin, FileRules, LogOrigins, LogSource } from '#agent/logs/tail/log-source.ts';
import {
  agentLog,
  numberedBodies,
  numberedLines,
  startAgent,
  temporaryDirectory,
  until,
} from './log-agent-run.ts';
import { never } from './recording-transport.ts';

const rules: FileRules = { isCollected: true, multiline: 'auto', parse: '', rateLimitBytes: 0 };

class TestOrigins implements LogOrigins {
  revision = 0;
  answer: FileOrigin | 'awaited' | undefined;
  extra: readonly LogSource[] = [];

  find(): FileOrigin | 'awaited' | undefined {
    return this.answer;
  }

  sources(): readonly LogSource[] {
    return this.extra;
  }

  set(answer: FileOrigin | 'awaited' | undefined): void {
    this.answer = answer;
    this.revision++;
  }
}

function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

test('lines wait a moment for their writer, then carry what is known', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = 'awaited';
  write(join(directory, 'a.log'), numberedLines(1, 3));
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await agent.firstLook;
  expect(transport.sent).toEqual([]);
  origins.set({ attributes: { 'k8s.pod.label.app': 'shop' }, rules });
  await until('the lines land', () => transport.records().length === 3);
  expect(transport.records()[0]!.resource).toMatchObject({
    'k8s.pod.label.app': 'shop',
    'host.name': 'node-1',
  });
});

test('a writer that stays unknown holds nothing up for ever', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = 'awaited';
  write(join(directory, 'a.log'), numberedLines(1, 3));
  const { transport } = startAgent(directory, { origins: () => origins });
  await until('the lines land', () => transport.records().length === 3);
});

test('new facts are for new lines, and a forgotten writer keeps its last facts', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: { version: 'one' }, rules };
  const path = write(join(directory, 'a.log'), 'first\n');
  const { transport } = startAgent(directory, { origins: () => origins });
  await until('the first lands', () => transport.records().length === 1);
  origins.set({ attributes: { version: 'two' }, rules });
  // A look passes before the line is written: the file is described anew by then.
  const looks = transport.sent.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(transport.sent).toHaveLength(looks);
  appendFileSync(path, 'second\n');
  await until('the second lands', () => transport.records().length === 2);
  origins.set(undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  appendFileSync(path, 'third\n');
  await until('the third lands', () => transport.records().length === 3);
  expect(transport.records().map(({ resource }) => resource.version)).toEqual(['one', 'two', 'two']);
});

test('a batch that is under way while facts change is the same after a restart', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: { version: 'one' }, rules };
  write(join(directory, 'a.log'), numberedLines(1, 5));
  const first = startAgent(directory, { origins: () => origins });
  first.transport.intercept = never;
  await until('a batch is under way', () => first.transport.sent.length > 0);
  const [sent] = first.transport.sent;
  origins.set({ attributes: { version: 'two' }, rules });
  const checkpoint = join(directory, 'state', 'logs.json');
  await until('the change is in the checkpoint', () =>
    JSON.stringify(loadCheckpoint(checkpoint)).includes('"two"'),
  );
  await first.agent.stop({ drainMs: 0 });
  const second = startAgent(directory, { origins: () => origins });
  await until('it is sent again', () => second.transport.sent.length > 0);
  const [again] = second.transport.sent;
  expect(again!.batchId).toBe(sent!.batchId);
  expect(Buffer.from(again!.bytes).equals(sent!.bytes)).toBe(true);
});

test('a container that is not collected is left alone, and begins when its rules change', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: {}, rules: { ...rules, isCollected: false } };
  write(join(directory, 'a.log'), numberedLines(1, 3));
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await agent.firstLook;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(transport.sent).toEqual([]);
  expect(agent.status().lost).toEqual([]);
  origins.set({ attributes: {}, rules });
  await until('the lines land', () => transport.records().length === 3);
});

test('a container joins lines by its own rule', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: {}, rules: { ...rules, multiline: '^#' } };
  write(join(directory, 'a.log'), '#1\na\nb\n#2\nc\n#3\n');
  const { transport } = startAgent(directory, { origins: () => origins });
  await until('the records land', () => transport.records().length === 3);
  expect(transport.bodies()).toEqual(['#1\na\nb', '#2\nc', '#3']);
});

test('files inside of a container are found while it is known', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  const path = write(join(directory, 'volume', 'access.txt'), 'GET /\n');
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await agent.firstLook;
  expect(transport.sent).toEqual([]);
  const origin = { attributes: { 'sonde.store': 'access', 'container.name': 'web' }, rules };
  origins.extra = [{ glob: compileGlob(join(directory, 'volume', '*.txt')), origin }];
  origins.revision++;
  await until('its line lands', () => transport.records().length === 1);
  expect(transport.records()[0]!.resource).toMatchObject({
    'sonde.store': 'access',
    'container.name': 'web',
    'log.file.path': path,
  });
});

test('a file that grows too fast loses whole lines, counted to the byte', async () => {
  const directory = temporaryDirectory();
  const path = write(join(directory, 'a.log'), 'start\n');
  const { agent, transport } = startAgent(directory, { rateLimitBytes: 1000 });
  await until('the first line lands', () => transport.records().length === 1);
  agentLog.length = 0;
  const text = numberedLines(1, 5000);
  appendFileSync(path, text);
  await until('some is dropped', () => agent.status().lost.length > 0);
  await until('the rest is read', () => agent.status().lagBytes === 0);
  const bodies = transport.bodies().filter((body) => body !== 'start');
  const [loss] = agent.status().lost;
  expect(loss).toMatchObject({ reason: 'rate_limited', path });
  expect(bodies).toEqual(numberedBodies(1, bodies.length));
  const keptBytes = Buffer.byteLength(bodies.map((body) => `${body}\n`).join(''));
  expect(keptBytes + loss!.bytes).toBe(Buffer.byteLength(text));
  expect(agentLog.filter((line) => line.includes('rate_limited'))).toHaveLength(1);
});

test('a link that leads out of a container is not followed', async () => {
  const directory = temporaryDirectory();
  const secret = write(join(directory, 'host', 'secret.txt'), 'secret\n');
  const base = join(directory, 'volume');
  write(join(base, 'own.txt'), 'own\n');
  symlinkSync(secret, join(base, 'link.txt'));
  const origins = new TestOrigins();
  origins.extra = [{ glob: compileGlob(join(base, '*.txt')), base, origin: { attributes: {}, rules } }];
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await until('its own line lands', () => transport.records().length === 1);
  expect(transport.bodies()).toEqual(['own']);
  const message = `not read: a symbolic link leads out of ${base}`;
  expect(agent.status().problems).toContainEqual({ path: join(base, 'link.txt'), message });
});

test('a rotation gives no new burst to a file that grows too fast', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'start\n');
  const { agent, transport } = startAgent(directory, { rateLimitBytes: 100 });
  await until('the first line lands', () => transport.records().length === 1);
  for (let rotation = 1; rotation <= 10; rotation++) {
    renameSync(path, `${path}.${rotation}`);
    writeFileSync(path, numberedLines(rotation * 1000, rotation * 1000 + 100));
    await until('it is found', () =>
      agent.status().files.some(({ isPresent, size }) => isPresent && size > 6),
    );
    await delay(60);
  }
  await until('all is read or dropped', () => agent.status().lagBytes === 0);
  const landed = transport.bodies().reduce((sum, body) => sum + body.length + 1, 0);
  // Ten seconds' worth at once, and what was earned since.
  expect(landed).toBeLessThan(100 * 15);
});
