/**
 * Goal: log files are what runtimes and rotators leave: framing, pieces of long lines, names, and no record lost or
 * split by a rotation.
 * Method: real files in a temporary directory, read back as text.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ContainerLog, dockerContainerPath, podContainerPath } from '#load/files/container-log.ts';
import { FileSender } from '#load/files/file-sender.ts';
import { frameLine, type LogFormat, logFormats } from '#load/files/line-framing.ts';
import { type RotationMode, renameAsKubelet } from '#load/files/rotation.ts';

const root = mkdtempSync(join(tmpdir(), 'sonde-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const time = '2026-01-01T00:00:00.000000001Z';

test('each format frames a line', () => {
  expect(frameLine('cri', time, 'stdout', 'a "b"')).toBe(`${time} stdout F a "b"\n`);
  expect(frameLine('docker', time, 'stderr', 'a "b"')).toBe(
    `{"log":"a \\"b\\"\\n","stream":"stderr","time":"${time}"}\n`,
  );
  expect(frameLine('plain', time, 'stdout', 'a "b"')).toBe('a "b"\n');
});

test('runtimes cut lines at 16 KiB, and a line of just that is whole', () => {
  const flags = (length: number): string[] =>
    [...frameLine('cri', time, 'stdout', 'x'.repeat(length)).matchAll(/stdout ([PF])/g)].map(
      ([, flag]) => flag!,
    );
  expect([flags(16_384), flags(16_385), flags(40_000)]).toEqual([['F'], ['P', 'F'], ['P', 'P', 'F']]);
  const docker = frameLine('docker', time, 'stdout', 'x'.repeat(20_000)).trim().split('\n');
  const logs = docker.map((line) => (JSON.parse(line) as { log: string }).log);
  expect(logs.map((log) => [log.length, log.endsWith('\n')])).toEqual([
    [16_384, false],
    [3617, true],
  ]);
});

/** All records of a log, by file in the order in which they were written. */
function rotate(format: LogFormat, mode: RotationMode, kept = 100) {
  const directory = mkdtempSync(join(root, 'rotate-'));
  const log = new ContainerLog(join(directory, 'a.log'), format, { mode, bytes: 300, kept });
  for (let seq = 1; seq <= 20; seq++) log.write('stdout', [`<${seq}>`, `${'x'.repeat(20)} end of ${seq}`]);
  log.close();
  const names = readdirSync(directory);
  const numbers = names
    .flatMap((name) => [...readFileSync(join(directory, name), 'utf8').matchAll(/<(\d+)>/g)])
    .map(([, seq]) => Number(seq));
  const ends = names.flatMap((name) => [
    ...readFileSync(join(directory, name), 'utf8').matchAll(/end of (\d+)/g),
  ]);
  return { log, names, numbers: numbers.sort((a, b) => a - b), ends: ends.length };
}

const all = Array.from({ length: 20 }, (_, i) => i + 1);

test.each(
  logFormats.flatMap((format) =>
    (['rename', 'copytruncate', 'none'] as const).map((mode) => ({ format, mode })),
  ),
)('$format with $mode: every record is in one of the files, whole', ({ format, mode }) => {
  const { log, names, numbers, ends } = rotate(format, mode);
  expect(numbers).toEqual(all);
  expect(ends).toBe(20);
  expect(log).toMatchObject({ seq: 20, rotations: names.length - 1 });
  if (mode === 'none') expect(names).toEqual(['a.log']);
  else expect(names.length).toBeGreaterThan(2);
});

test('names are those of the rotators', () => {
  const numbered = ['a.log', 'a.log.1', 'a.log.2'];
  for (const name of rotate('cri', 'rename').names.slice(1)) {
    expect(name).toMatch(/^a\.log\.\d{8}-\d{6}(-\d+)?$/);
  }
  expect(rotate('docker', 'rename', 2).names).toEqual(numbered);
  expect(rotate('plain', 'copytruncate', 2).names).toEqual(numbered);
});

test('docker reopens its file at once; the others write a record more to the renamed one', () => {
  const mostLines = (format: LogFormat): number => {
    const directory = mkdtempSync(join(root, 'late-'));
    const log = new ContainerLog(join(directory, 'a.log'), format, { mode: 'rename', bytes: 100, kept: 9 });
    for (let seq = 1; seq <= 2; seq++) log.write('stdout', ['y'.repeat(100)]);
    log.close();
    const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
    return Math.max(...texts.map((text) => text.split('\n').length - 1));
  };
  expect([mostLines('docker'), mostLines('plain'), mostLines('cri')]).toEqual([1, 2, 2]);
});

test('only so many rotated files stay', () => {
  expect(rotate('cri', 'rename', 2).names).toHaveLength(3);
  expect(rotate('docker', 'rename', 2).names).toEqual(['a.log', 'a.log.1', 'a.log.2']);
  expect(rotate('plain', 'copytruncate', 1).names).toEqual(['a.log', 'a.log.1']);
});

test('the kubelet stamps seconds; a second rotation within one gets another name', () => {
  const directory = mkdtempSync(join(root, 'stamp-'));
  const now = new Date('2026-01-02T03:04:05.678Z');
  const names = [1, 2].map(() => {
    new ContainerLog(join(directory, '0.log'), 'cri', { mode: 'none', bytes: 1, kept: 1 }).close();
    return basename(renameAsKubelet(join(directory, '0.log'), now));
  });
  expect(names).toEqual(['0.log.20260102-030405', '0.log.20260102-030405-1']);
});

test('files lie where their runtimes put them', () => {
  const pod = { namespace: 'shop', pod: 'cart-1', uid: 'u', container: 'web' };
  expect(podContainerPath('/var/log/pods', pod)).toBe('/var/log/pods/shop_cart-1_u/web/0.log');
  const path = dockerContainerPath(root, 'ab12', 'web');
  expect(path).toBe(join(root, 'ab12/ab12-json.log'));
  expect(JSON.parse(readFileSync(join(root, 'ab12/config.v2.json'), 'utf8'))).toEqual({
    ID: 'ab12',
    Name: '/web',
  });
});

test('a disk that is full ends the sender, and what was not written does not count', async () => {
  const log = new ContainerLog('/dev/full', 'plain', { mode: 'none', bytes: 1, kept: 1 });
  const sender = new FileSender({ name: 'a', run: 'r', log, shape: { lineBytes: 100, isSingleLine: false } });
  const { signal } = new AbortController();
  await sender.run({ due: () => 5, planned: 5, stop: signal, giveUp: signal });
  expect(sender.report()).toMatchObject({
    ...{ written: 0, acknowledged: 0 },
    failure: 'cannot write /dev/full: ENOSPC: no space left on device, write',
  });
});
