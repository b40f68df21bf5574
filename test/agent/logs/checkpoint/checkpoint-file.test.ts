/**
 * Goal: the checkpoint on disk is always whole, and one write serves all who asked before it began.
 * Method: real files; what a crash leaves is played by hand.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Checkpoint, parseCheckpoint, renderCheckpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import { CheckpointFile, loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import { journalPath } from '#agent/logs/checkpoint/checkpoint-journal.ts';
import { ConfigError } from '#model/errors.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

const sample: Checkpoint = {
  version: 3,
  agentId: 'a1',
  nextSequence: 7,
  nextFileId: 3,
  files: [
    {
      id: 2,
      path: '/var/log/a.log',
      device: '65024',
      inode: '18446744073709551615',
      fingerprint: { bytes: 4, sha256: 'ff' },
      format: 'cri',
      multiline: 'auto',
      parse: '',
      isCollected: true,
      resource: { 'service.name': 'a', 'k8s.container.restart_count': 1 },
      offset: 4,
      size: 10,
      mtimeMs: 1.5,
    },
  ],
  history: [
    {
      path: '/var/log/a.log',
      device: '65024',
      inode: '7',
      fingerprint: { bytes: 4, sha256: 'ee' },
      size: 20,
      mtimeMs: 1,
    },
  ],
  sought: [{ path: '/var/log/app.log', sinceMs: 1.5 }],
  lookedAtMs: 1_760_000_000_000,
  pending: [
    { batchId: 'a1-6', tenant: 't', key: 't/n/0', lineBytesMax: 10, ranges: [{ fileId: 2, from: 0, to: 4 }] },
  ],
  journal: '',
};

/** Snapshots and changes as text, whatever they say. */
function textSource(text: () => string) {
  return { snapshot: text, changes: text };
}

const sampleSource = (checkpoint = sample) => textSource(() => renderCheckpoint(checkpoint));

test('a checkpoint without a history, as it was written before, has an empty one', () => {
  const { history: _, ...before } = sample;
  expect(parseCheckpoint(JSON.stringify(before)).history).toEqual([]);
});

test('what is rendered is parsed again', () => {
  expect(parseCheckpoint(renderCheckpoint(sample))).toEqual(sample);
});

test.each<{ name: string; change: object; message: string }>([
  {
    name: 'an unknown version',
    change: { version: 4 },
    message: 'its version is 4 and this agent reads versions 1, 2 and 3',
  },
  { name: 'an unknown key', change: { color: 1 }, message: 'its content: Unrecognized key' },
  { name: 'a negative sequence', change: { nextSequence: -1 }, message: 'nextSequence: ' },
  {
    name: 'a pending batch of an unknown file',
    change: { files: [] },
    message: 'a pending batch names a file that is not listed',
  },
  {
    name: 'an empty range',
    change: { pending: [{ ...sample.pending[0], ranges: [{ fileId: 2, from: 4, to: 4 }] }] },
    message: 'pending.0.ranges.0: expected from < to',
  },
  {
    name: 'a huge range',
    change: { pending: [{ ...sample.pending[0], ranges: [{ fileId: 2, from: 0, to: 2 ** 40 }] }] },
    message: 'pending.0.ranges.0: expected from < to',
  },
])('$name is refused', ({ change, message }) => {
  expect(() => parseCheckpoint(JSON.stringify({ ...sample, ...change }))).toThrow(message);
});

test('no file means no checkpoint, and its directory is made', () => {
  const directory = temporaryDirectory();
  expect(loadCheckpoint(join(directory, 'a', 'b', 'logs.json'))).toBeUndefined();
  expect(readdirSync(join(directory, 'a'))).toEqual(['b']);
});

test('a file in the place of its directory is an error that says what to do', () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'state'), '');
  expect(() => loadCheckpoint(join(directory, 'state', 'logs.json'))).toThrow(ConfigError);
  expect(() => loadCheckpoint(join(directory, 'state', 'logs.json'))).toThrow('set another state path');
});

test('what a crash leaves of an unfinished write does not matter', async () => {
  const path = join(temporaryDirectory(), 'logs.json');
  await new CheckpointFile(path, sampleSource()).finish();
  writeFileSync(`${path}.tmp`, '{"version":1,"agen');
  expect(loadCheckpoint(path)).toEqual(sample);
  await new CheckpointFile(path, sampleSource({ ...sample, nextSequence: 8 })).finish();
  expect(loadCheckpoint(path)?.nextSequence).toBe(8);
  expect(readdirSync(join(path, '..'))).toEqual(['logs.json']);
});

test('a save holds the state of its call or a later one, and calls during a write share the next', async () => {
  const path = join(temporaryDirectory(), 'logs.json');
  let state = 0;
  const file = new CheckpointFile(
    path,
    textSource(() => String(state)),
  );
  const first = file.save().then(() => expect(Number(readFileSync(path, 'utf8'))).toBeGreaterThanOrEqual(1));
  state = 1;
  await new Promise((resolve) => setImmediate(resolve));
  state = 2;
  const later = [file.save(), file.save(), file.save()];
  await first;
  await Promise.all(later);
  expect(readFileSync(journalPath(path), 'utf8')).toMatch(/^[0-9a-f]{8} 2\n$/);
  expect(file.saveCount).toBe(2);
  await file.finish();
});

test('a save that fails rejects, and the next one works', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'logs.json');
  mkdirSync(`${path}.tmp`);
  const file = new CheckpointFile(
    path,
    textSource(() => 'x'),
  );
  await expect(file.save()).rejects.toThrow('EISDIR');
  rmSync(`${path}.tmp`, { recursive: true });
  await file.save();
  expect(readFileSync(path, 'utf8')).toBe('x');
});

test('a checkpoint of version 2, without a journal, is read', () => {
  const { journal: _, ...before } = sample;
  const parsed = parseCheckpoint(JSON.stringify({ ...before, version: 2 }));
  expect(parsed).toEqual({ ...sample, version: 2 });
});

test('a checkpoint of version 1, without rules and descriptions, is read', () => {
  const [file] = sample.files;
  const { multiline: _multiline, parse: _parse, isCollected: _isCollected, ...before } = file!;
  const parsed = parseCheckpoint(JSON.stringify({ ...sample, version: 1, files: [before] }));
  expect(parsed).toEqual({ ...sample, version: 1 });
});
