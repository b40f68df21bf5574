/**
 * Goal: kill -9 at any moment loses nothing that the buffer has answered, changes nothing, and swaps nothing within a key.
 * Method: a child sends numbered envelopes and says which were answered; it is killed again and again at other moments, and
 * in the end another one drains the directory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const child = join(import.meta.dirname, 'crash-child.ts');

test.each([
  ['always', 8],
  ['interval', 8],
])('sync %s, killed %i times', { timeout: 60_000 }, async (sync, kills) => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-buffer-crash-'));
  const [path, sink] = [join(directory, 'buffer'), join(directory, 'sink')];
  const answered: number[] = [];
  for (let round = 0; round < kills; round++) {
    const first = (answered.at(-1) ?? -1) + 1000;
    const args = [child, path, sink, String(first - (first % 5)), sync, 'send'];
    const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const before = answered.length;
    for await (const line of createInterface(running.stdout)) {
      if (line === 'started') continue;
      answered.push(Number(line));
      // Each round dies at another moment of a write: after some answers, and in the midst of others.
      if (answered.length - before === 13 + 17 * round) running.kill('SIGKILL');
    }
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
  }
  const draining = spawn(process.execPath, [child, path, sink, '0', sync, 'drain'], { stdio: 'inherit' });
  expect(await once(draining, 'exit')).toEqual([0, null]);

  expect(existsSync(sink)).toBe(true);
  const lines = readFileSync(sink, 'utf8').split('\n').slice(0, -1);
  const taken = new Map<string, { key: string; text: string }>();
  for (const line of lines) {
    // A line of a process that was killed may be cut off, and the next one begins behind it.
    const { batchId, key, text } = JSON.parse(line.slice(line.lastIndexOf('{"batchId'))) as Record<
      string,
      string
    >;
    const number = Number(batchId!.slice(1));
    expect(text).toBe(`${number} ${'x'.repeat((number * 37) % 5000)}`);
    if (!taken.has(batchId!)) taken.set(batchId!, { key: key!, text: text! });
  }
  expect(answered.filter((number) => !taken.has(`b${number}`))).toEqual([]);
  for (let part = 0; part < 5; part++) {
    const own = [...taken].filter(([, { key }]) => key === `k${part}`).map(([id]) => Number(id.slice(1)));
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
  expect(readdirSync(join(path, 'logs'))).toEqual([]);
  expect(answered.length).toBeGreaterThan(kills * 13);
});
