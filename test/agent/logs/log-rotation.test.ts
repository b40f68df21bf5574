/**
 * Goal: a file that came and went between two looks, or while no agent ran, is read once as long as it is on disk, and
 * counted where it is not readable any more.
 * Method: real files and the real agent. Renames without a pause between them leave the agent no moment to look.
 */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Checkpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import type { LogAgent } from '#agent/logs/log-agent.ts';
import { numberedBodies, numberedLines, startAgent, temporaryDirectory, until } from './log-agent-run.ts';
import { criLine } from './log-text.ts';
import { RecordingTransport } from './recording-transport.ts';

const drain = { drainMs: 5000 };

/** Runs an agent to the end of what is there, with rotated files let go at once. */
async function runOnce(
  directory: string,
  transport: RecordingTransport,
  globs?: string[],
): Promise<LogAgent> {
  const { agent } = startAgent(directory, { transport, rotatedQuietMs: 0, ...(globs && { globs }) });
  await agent.firstLook;
  await agent.stop(drain);
  return agent;
}

function gzip(path: string, atSeconds: number): void {
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
  utimesSync(`${path}.gz`, atSeconds, atSeconds);
  unlinkSync(path);
}

const inFuture = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

test.each([
  { style: 'kubelet', rotated: ['0.log.20261121-023000', '0.log.20261121-024000'], live: '0.log' },
  { style: 'docker and logrotate', rotated: ['a.log.2', 'a.log.1'], live: 'a.log' },
  { style: 'logrotate with dates', rotated: ['a.log-20261121', 'a.log-20261122'], live: 'a.log' },
])('two rotations while the agent is down lose and repeat nothing: $style', async ({ rotated, live }) => {
  const directory = temporaryDirectory();
  const path = join(directory, live);
  const transport = new RecordingTransport();
  writeFileSync(path, numberedLines(1, 10));
  await runOnce(directory, transport);
  appendFileSync(path, numberedLines(11, 20));
  renameSync(path, join(directory, rotated[0]!));
  writeFileSync(path, numberedLines(21, 30));
  renameSync(path, join(directory, rotated[1]!));
  writeFileSync(path, numberedLines(31, 40));
  const agent = await runOnce(directory, transport);
  expect(transport.bodies().toSorted()).toEqual(numberedBodies(1, 40).toSorted());
  expect(new Set(transport.records().map(({ resource }) => resource['log.file.path']))).toEqual(
    new Set([path]),
  );
  expect(agent.status()).toMatchObject({ lost: [], problems: [] });

  for (let count = 0; count < 3; count++) {
    appendFileSync(path, `again ${count}\n`);
    await runOnce(directory, transport);
  }
  renameSync(path, `${path}.9`);
  writeFileSync(path, 'last\n');
  await runOnce(directory, transport);
  expect(transport.bodies()).toHaveLength(44);
});

test('several rotations between two looks lose nothing, and the oldest lines land first', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 10));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.bodies().length === 10);
  for (let round = 1; round <= 5; round++) {
    appendFileSync(path, numberedLines(round * 10 + 1, round * 10 + 5));
    renameSync(path, `${path}.2026010${round}`);
    writeFileSync(path, numberedLines(round * 10 + 6, round * 10 + 10));
  }
  await until('all lands', () => transport.bodies().length >= 60);
  await until('the rotated files are let go', () => agent.status().files.length === 1);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 60));
  expect(agent.status().lost).toEqual([]);
});

test('a file that comes and goes after its predecessor was let go is found', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 10));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.bodies().length === 10);
  renameSync(path, `${path}.1`);
  await until('the rotated file is let go', () => agent.status().files.length === 0);
  writeFileSync(path, numberedLines(11, 20));
  renameSync(path, `${path}.2`);
  writeFileSync(path, numberedLines(21, 30));
  await until('all lands', () => transport.bodies().length >= 30);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 30));

  const next = new RecordingTransport();
  await runOnce(directory, next);
  expect(next.bodies()).toEqual([]);
});

test('a file behind a link is found where the link led', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'pods'));
  mkdirSync(join(directory, 'links'));
  const target = join(directory, 'pods', '0.log');
  const transport = new RecordingTransport();
  const globs = [join(directory, 'links', '*.log')];
  writeFileSync(target, criLine('one'));
  symlinkSync(target, join(directory, 'links', 'web.log'));
  await runOnce(directory, transport, globs);
  for (const [rotation, body] of ['two', 'three'].entries()) {
    renameSync(target, `${target}.2026010${rotation}`);
    writeFileSync(target, criLine(body));
  }
  await runOnce(directory, transport, globs);
  expect(transport.bodies().toSorted()).toEqual(['one', 'three', 'two']);
});

test('a new container that rotates its first file before the next look loses nothing, agent up or down', async () => {
  const directory = temporaryDirectory();
  const transport = new RecordingTransport();
  const globs = [join(directory, '*/a.log')];
  const appear = (name: string, from: number): void => {
    const path = join(directory, name, 'a.log');
    mkdirSync(join(directory, name));
    writeFileSync(path, numberedLines(from, from + 4));
    renameSync(path, `${path}.1`);
    writeFileSync(path, numberedLines(from + 5, from + 9));
  };
  const { agent } = startAgent(directory, { transport, globs });
  await agent.firstLook;
  appear('while-up', 1);
  await until('all lines of the first container land', () => transport.bodies().length >= 10);
  await agent.stop(drain);
  appear('while-down', 11);
  for (let run = 0; run < 2; run++) await runOnce(directory, transport, globs);
  expect(transport.bodies().toSorted()).toEqual(numberedBodies(1, 20).toSorted());
});

test('a first start leaves alone what was rotated before, and so does every later rotation', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(`${path}.2`, numberedLines(1, 5, 'old'));
  utimesSync(`${path}.2`, inFuture(-100), inFuture(-100));
  writeFileSync(`${path}.3`, numberedLines(1, 5, 'older'));
  gzip(`${path}.3`, inFuture(-200));
  writeFileSync(path, numberedLines(1, 10));
  const transport = new RecordingTransport();
  await runOnce(directory, transport);
  renameSync(path, `${path}.1`);
  writeFileSync(path, numberedLines(11, 20));
  const agent = await runOnce(directory, transport);
  expect(transport.bodies().toSorted()).toEqual(numberedBodies(1, 20).toSorted());
  expect(agent.status().lost).toEqual([]);
});

test('what was rotated and compressed unread is counted once, with its name and compressed bytes', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  const transport = new RecordingTransport();
  writeFileSync(path, numberedLines(1, 10));
  await runOnce(directory, transport);
  renameSync(path, `${path}.2`);
  writeFileSync(`${path}.1`, numberedLines(11, 20));
  gzip(`${path}.1`, inFuture(10));
  const { length } = readFileSync(`${path}.1.gz`);
  writeFileSync(path, numberedLines(21, 30));
  const agent = await runOnce(directory, transport);
  const loss = { reason: 'rotated_compressed', path: `${path}.1.gz`, records: 0, bytes: length };
  expect(agent.status().lost).toEqual([loss]);
  expect(transport.bodies().toSorted()).toEqual(
    [...numberedBodies(1, 10), ...numberedBodies(21, 30)].toSorted(),
  );

  renameSync(path, `${path}.3`);
  writeFileSync(path, numberedLines(31, 40));
  const next = await runOnce(directory, transport);
  expect(next.status().lost).toEqual([]);
  expect(transport.bodies()).toHaveLength(30);
});

test.each([
  { name: 'the very file', extra: '', lost: 0 },
  { name: 'the file with more than was read', extra: numberedLines(11, 12), lost: 1 },
])('a compressed file is told by its content: $name', async ({ extra, lost }) => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  const transport = new RecordingTransport();
  writeFileSync(path, numberedLines(1, 10));
  await runOnce(directory, transport);
  appendFileSync(path, extra);
  renameSync(path, `${path}.1`);
  // kubelet and docker do not keep the time of what they compress.
  gzip(`${path}.1`, inFuture(10));
  writeFileSync(path, numberedLines(21, 30));
  const agent = await runOnce(directory, transport);
  expect(agent.status().lost).toHaveLength(lost);
});

test('what is no rotated log, or is half compressed, is not read', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  const transport = new RecordingTransport();
  writeFileSync(path, numberedLines(1, 10));
  await runOnce(directory, transport);
  renameSync(path, `${path}.1`);
  writeFileSync(`${path}.pos`, 'position 1\n');
  writeFileSync(`${path}.2.tmp`, 'temporary\n');
  writeFileSync(`${path}.3`, gzipSync('compressed'));
  writeFileSync(path, numberedLines(11, 20));
  await runOnce(directory, transport);
  expect(transport.bodies().toSorted()).toEqual(numberedBodies(1, 20).toSorted());
});

test('agents that start from copies of one checkpoint give different batches different ids', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  await runOnce(directory, new RecordingTransport());
  const image = readFileSync(join(directory, 'state', 'logs.json'), 'utf8');
  const ids = new Set<string>();
  for (const text of ['one\n', 'two\n']) {
    writeFileSync(join(directory, 'state', 'logs.json'), image);
    writeFileSync(join(directory, 'b.log'), text);
    const transport = new RecordingTransport();
    await runOnce(directory, transport);
    for (const { batchId } of transport.sent) ids.add(batchId);
  }
  expect([...ids]).toHaveLength(2);
  const { agentId, nextSequence } = JSON.parse(image) as Checkpoint;
  for (const id of ids) expect(id).toMatch(new RegExp(`^${agentId}-${nextSequence}-[0-9a-f]{8}$`));
});

test('lines that come into an empty file after it was rotated are read', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'error.log');
  writeFileSync(path, '');
  const { agent, transport } = startAgent(directory);
  await agent.firstLook;
  await delay(100);
  renameSync(path, `${path}.1`);
  writeFileSync(path, '');
  appendFileSync(`${path}.1`, 'an error before the writer reopened\n');
  await delay(100);
  appendFileSync(path, 'after\n');
  await until('the new file is read', () => transport.bodies().includes('after'));
  await delay(300);
  expect(transport.bodies()).toContain('an error before the writer reopened');
});

test('what came and was truncated between two looks is read from its copies, also where the file stays empty', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 10));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.records().length === 10);
  const rotate = (number: number): void => {
    copyFileSync(path, `${path}.${number}`);
    truncateSync(path, 0);
  };
  rotate(1);
  await until('the truncation is seen', () => agent.counters().filesTruncated === 1);
  for (let number = 2; number <= 4; number++) {
    appendFileSync(path, numberedLines(number * 10 - 9, number * 10));
    rotate(number);
  }
  await until('all lands', () => transport.records().length >= 40);
  expect(transport.bodies().sort()).toEqual(numberedBodies(1, 40).sort());
  expect(agent.status().lost).toEqual([]);
});

test('what a writer that never reopens adds to a rotated file lands, however quiet the file was, and after a restart', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 5));
  const transport = new RecordingTransport();
  const { agent } = startAgent(directory, { transport, rotatedQuietMs: 30 });
  await until('the lines land', () => transport.bodies().length === 5);
  renameSync(path, `${path}.1`);
  await until('the file is read to its end', () => agent.status().files.length === 0);
  appendFileSync(`${path}.1`, numberedLines(6, 8));
  await until('the late lines land', () => transport.bodies().length === 8);
  await until('it is quiet again', () => agent.status().files.length === 0);
  await agent.stop(drain);
  renameSync(`${path}.1`, `${path}.2`);
  appendFileSync(`${path}.2`, numberedLines(9, 10));
  await runOnce(directory, transport);
  expect(transport.bodies()).toEqual(numberedBodies(1, 10));
});

test('a rotated file that is deleted is closed, so that the disk has its room', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 5));
  const { agent, transport } = startAgent(directory, { rotatedQuietMs: 30 });
  await until('the lines land', () => transport.bodies().length === 5);
  renameSync(path, `${path}.1`);
  await until('the file is read to its end', () => agent.status().files.length === 0);
  const isOpen = () =>
    readdirSync('/proc/self/fd').some((fd) => readLinkOrEmpty(`/proc/self/fd/${fd}`).startsWith(`${path}.1`));
  expect(isOpen()).toBe(true);
  unlinkSync(`${path}.1`);
  await until('it is closed', () => !isOpen());
});

test('of many rotated files of a path the newest stay open', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  const { agent, transport } = startAgent(directory, { rotatedQuietMs: 30 });
  for (let count = 1; count <= 7; count++) {
    writeFileSync(path, numberedLines(count, count));
    await until('the line lands', () => transport.bodies().length === count);
    renameSync(path, `${path}.${count}`);
    await until('the file is read to its end', () => agent.status().files.length === 0);
  }
  const open = () =>
    readdirSync('/proc/self/fd')
      .map((fd) => readLinkOrEmpty(`/proc/self/fd/${fd}`))
      .filter((name) => name.startsWith(path));
  await until('the oldest are closed', () => open().length === 4);
  expect(open().toSorted()).toEqual([4, 5, 6, 7].map((count) => `${path}.${count}`));
});

/** A descriptor that is closed meanwhile has no link. */
function readLinkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
