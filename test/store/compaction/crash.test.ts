/**
 * Goal: kill -9 between any two steps of a compaction loses no sample and changes none, and the next one ends its work.
 * Method: child processes on one data directory; each checks every sample bit for bit before and after it ends what the
 * one before left, adds samples to the same windows, and is killed at the next step.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';

const child = join(import.meta.dirname, 'crash-child.ts');
const directory = mkdtempSync(join(tmpdir(), 'sonde-compaction-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(rounds: number, step: string, nth: number, killAfterMs?: number): Promise<string> {
  const args = [child, directory, String(rounds), step, String(nth)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (killAfterMs !== undefined) {
    running.stdout.once('data', () => setTimeout(() => running.kill('SIGKILL'), killAfterMs));
  }
  const [output] = await Promise.all([text(running.stdout), once(running, 'exit')]);
  return output.trim().replaceAll('\n', ', ');
}

/** Two windows of two slices and some parts each. */
const kills = [
  ['move', 1],
  ['chunk', 1],
  ['chunk', 2],
  ['cells', 1],
  ['cells', 2],
  ['drop', 1],
  ['drop', 2],
  ['finish', 1],
  ['move', 2],
  ['chunk', 4],
] as const;
/** Within statements, wherever the kill falls. */
const killsAfterMs = [20, 120];

test('a compaction that is killed at every step keeps every sample', async () => {
  for (const [rounds, [step, nth]] of kills.entries()) {
    expect(await run(rounds, step, nth)).toBe(`ok, killed before ${step} ${nth}`);
  }
  for (const [index, delayMs] of killsAfterMs.entries()) {
    const output = await run(kills.length + index, 'never', 1, delayMs);
    expect(output).toMatch(/^ok(, done)?$/);
  }
  expect(await run(kills.length + killsAfterMs.length, 'never', 1)).toBe('ok, done');
}, 600_000);
