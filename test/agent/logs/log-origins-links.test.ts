/**
 * Goal: nothing outside of a container's directory is read for it, and a container that is not collected costs nothing.
 * Method: an agent with a source that has a base, and what a container can do to its own files.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { compileGlob } from '#agent/logs/tail/file-glob.ts';
import type { FileOrigin, FileRules, LogOrigins, LogSource } from '#agent/logs/tail/log-source.ts';
import { numberedLines, startAgent, temporaryDirectory, until } from './log-agent-run.ts';

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
}

function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function volume(text: string, secretText = text) {
  const directory = temporaryDirectory();
  const secret = write(join(directory, 'host', 'secret.txt'), `${secretText}secret\n`);
  const base = join(directory, 'volume');
  const own = write(join(base, 'own.txt'), text);
  // The writer says how old its files are.
  utimesSync(own, 1_000_000, 1_000_000);
  const origins = new TestOrigins();
  origins.extra = [{ glob: compileGlob(join(base, '*.txt')), base, origin: { attributes: {}, rules } }];
  return { directory, secret, own, origins };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a link that leads out of a container is not followed as a rotated file', async () => {
  const { directory, secret, own, origins } = volume('other\n', 'a ');
  const { transport } = startAgent(directory, { origins: () => origins });
  await until('its own line lands', () => transport.records().length === 1);
  symlinkSync(secret, `${own}.1`);
  unlinkSync(own);
  await pause(500);
  expect(transport.bodies()).toEqual(['other']);
});

test('a file beside what a replaced link leads to is not followed as a rotated file', async () => {
  const { directory, secret, own, origins } = volume('other\n');
  write(`${secret}.1`, 'older secret\n');
  const { transport } = startAgent(directory, { origins: () => origins });
  await until('its own line lands', () => transport.records().length === 1);
  unlinkSync(own);
  symlinkSync(secret, own);
  await pause(500);
  expect(transport.bodies()).toEqual(['other']);
});

test('a link that leads out of a container is not read as the copy of a truncated file', async () => {
  const { directory, secret, own, origins } = volume('root:');
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await until('it is followed', () => agent.status().files.length === 1);
  await pause(100);
  symlinkSync(secret, `${own}.1`);
  truncateSync(own, 0);
  await until('the truncation is noticed', () => agent.counters().filesTruncated === 1);
  await pause(500);
  expect(transport.bodies().join()).not.toContain('secret');
});

test('a directory that became a link is not followed after a restart, before anybody says which container it was', async () => {
  const { directory, origins } = volume('other\n');
  const base = join(directory, 'volume');
  write(join(base, 'sub', 'deep.txt'), 'deep\n');
  const glob = compileGlob(join(base, 'sub', '*.txt'));
  origins.extra = [{ glob, base, origin: { attributes: {}, rules } }];
  const first = startAgent(directory, { origins: () => origins });
  await until('its own line lands', () => first.transport.bodies().includes('deep'));
  await first.agent.stop({ drainMs: 1000 });
  rmSync(join(base, 'sub'), { recursive: true });
  write(join(directory, 'host', 'deep.txt.1'), 'a secret\n');
  symlinkSync(join(directory, 'host'), join(base, 'sub'));
  origins.extra = [];
  const second = startAgent(directory, { origins: () => origins });
  await second.agent.firstLook;
  await pause(500);
  expect(second.transport.bodies()).toEqual([]);
  expect(second.agent.status().lost).toEqual([]);
});

/** Makes the file at argv[1] a link to argv[2] and a file again, as fast as it can. */
const swap = `
  const { renameSync, symlinkSync, writeFileSync } = require('node:fs');
  const [own, secret] = process.argv.slice(1);
  for (;;) {
    symlinkSync(secret, own + '.link');
    renameSync(own + '.link', own);
    writeFileSync(own + '.file', 'other\\n');
    renameSync(own + '.file', own);
  }
`;

test('a file that becomes a link and a file again leads nowhere', async () => {
  const { directory, secret, own, origins } = volume('other\n', 'a ');
  const child = spawn(process.execPath, ['-e', swap, own, secret]);
  const { transport } = startAgent(directory, {
    origins: () => origins,
    discoverIntervalMs: 5,
    pollIntervalMs: 5,
    rotatedQuietMs: 5,
  });
  await until('it is read', () => transport.records().length > 0);
  await pause(2500);
  child.kill('SIGKILL');
  expect(transport.bodies()).not.toContain('a secret');
});

test('a file that is not collected is let go of when it is deleted', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: {}, rules: { ...rules, isCollected: false } };
  const path = write(join(directory, 'a.log'), numberedLines(1, 3));
  const { agent } = startAgent(directory, { origins: () => origins, rotatedQuietMs: 50 });
  await until('it is followed', () => agent.status().files.length === 1);
  unlinkSync(path);
  await pause(500);
  expect(agent.status().files).toEqual([]);
  expect(agent.status().lagBytes).toBe(0);
});

test('a file that is not collected stays so over a restart, before its writer is known again', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins();
  origins.answer = { attributes: {}, rules: { ...rules, isCollected: false } };
  write(join(directory, 'a.log'), numberedLines(1, 3));
  const first = startAgent(directory, { origins: () => origins });
  await until('it is followed', () => first.agent.status().files.length === 1);
  await first.agent.stop({ drainMs: 1000 });
  origins.answer = 'awaited';
  const second = startAgent(directory, { origins: () => origins });
  await second.agent.firstLook;
  await pause(300);
  expect(second.transport.sent).toEqual([]);
  origins.answer = { attributes: {}, rules };
  origins.revision++;
  await until('it is collected', () => second.transport.records().length === 3);
});
