/**
 * Goal: kill -9 at any moment loses nothing and repeats nothing, once batch ids that came twice are dropped.
 * Method: a child process runs the agent while this test writes and rotates numbered lines; it is killed several times
 * and started again, and in the end the sink must hold every number once, in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { temporaryDirectory, until } from './log-agent-run.ts';
import { criLine, decodeRecords } from './log-text.ts';

const child = join(import.meta.dirname, 'crash-child.ts');
let running: ChildProcess | undefined;

afterEach(() => running?.kill('SIGKILL'));

interface SinkLine {
  readonly batchId: string;
  readonly bytes: string;
}

function sinkLines(path: string): SinkLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  // The last one is '' or was cut by the kill: what was cut was not answered.
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

test('a process that is killed again and again ships every line once', async () => {
  const directory = temporaryDirectory();
  const sink = join(directory, 'sink.jsonl');
  const log = join(directory, 'logs', 'app.log');
  const start = async (): Promise<void> => {
    running = spawn(
      process.execPath,
      [child, join(directory, 'logs'), sink, join(directory, 'state', 'logs.json')],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(running.stdout!, 'data');
  };
  mkdirSync(join(directory, 'logs'));
  let written = 0;
  const write = (count: number): void => {
    let text = '';
    for (let index = 0; index < count; index++) text += criLine(`number ${++written}`);
    appendFileSync(log, text);
  };
  const rounds = 5;
  for (let round = 0; round < rounds; round++) {
    await start();
    const landedBefore = sinkLines(sink).length;
    for (let part = 0; part < 20; part++) {
      write(300);
      await delay(1);
    }
    if (round % 2 === 1) renameSync(log, `${log}.${round}`);
    await until('some batches land', () => sinkLines(sink).length > landedBefore + 2 + 3 * round);
    const exited = once(running!, 'exit');
    running!.kill('SIGKILL');
    await exited;
  }
  await start();
  write(10);
  const exited = once(running!, 'exit');
  running!.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);

  const bytesById = new Map<string, string>();
  let repeats = 0;
  for (const { batchId, bytes } of sinkLines(sink)) {
    if (bytesById.has(batchId)) repeats++;
    expect(bytesById.get(batchId) ?? bytes).toBe(bytes);
    bytesById.set(batchId, bytes);
  }
  const numbers = [...bytesById.values()].flatMap((bytes) =>
    decodeRecords(Buffer.from(bytes, 'base64')).map(({ body }) => Number(body.slice('number '.length))),
  );
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: written }, (_, index) => index + 1));
  // Without a batch that was sent twice the kills came at moments that prove little.
  expect(repeats).toBeGreaterThan(0);
});
