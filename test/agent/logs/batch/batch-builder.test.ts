/**
 * Goal: making a batch changes nothing that a checkpoint holds: a save can fall into the middle of it.
 * Method: a followed file, and batches made of it without starting them.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BatchBuilder } from '#agent/logs/batch/batch-builder.ts';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { LossLedger } from '#agent/logs/loss-ledger.ts';
import { openFile, readFingerprint } from '#agent/logs/tail/opened-file.ts';
import { TailedFile } from '#agent/logs/tail/tailed-file.ts';
import { numberedBodies, numberedLines, temporaryDirectory } from '../log-agent-run.ts';
import { decodeRecords } from '../log-text.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const joinWaitMs = 500;

async function follow(path: string, rateLimitBytes = 0): Promise<TailedFile> {
  const opened = (await openFile(path))!;
  const fingerprint = await readFingerprint(opened.handle);
  const rules = { isCollected: true, multiline: 'auto', parse: '', rateLimitBytes };
  const description = { resource: {}, rules, isAwaited: false };
  return new TailedFile(opened, {
    id: 1,
    fingerprint,
    format: undefined,
    description,
    offset: 0,
    base: undefined,
    nowMs: 0,
  });
}

function createBuilder(batchBytesMax: number): BatchBuilder {
  const limits = { batchBytesMax, lineBytesMax: 1000, joinWaitMs };
  return new BatchBuilder(new FrameReaders(), limits, new LossLedger(silent));
}

test('a batch of several ranges leaves the offset to whoever starts it, and can be made again', async () => {
  const path = join(temporaryDirectory(), 'a.log');
  writeFileSync(path, numberedLines(1, 20_000));
  await using file = Object.assign(await follow(path), { [Symbol.asyncDispose]: () => file.close() });
  const builder = createBuilder(4 * 1024 * 1024);
  const first = (await builder.build([file], joinWaitMs, false))!;
  expect(first.ranges.length).toBeGreaterThan(1);
  expect(file.offset).toBe(0);
  for (const [index, { from }] of first.ranges.entries()) expect(from).toBe(first.ranges[index - 1]?.to ?? 0);
  const second = (await builder.build([file], joinWaitMs, false))!;
  expect(Buffer.from(second.bytes).equals(first.bytes)).toBe(true);
  expect(decodeRecords(first.bytes).map(({ body }) => body)).toEqual(numberedBodies(1, 20_000));
});

test('the last line waits for its pause, and an unfinished one for its end', async () => {
  const path = join(temporaryDirectory(), 'a.log');
  writeFileSync(path, 'a\nb\nc');
  await using file = Object.assign(await follow(path), { [Symbol.asyncDispose]: () => file.close() });
  const builder = createBuilder(100_000);
  const bodies = async (nowMs: number, isDraining = false) => {
    const batch = await builder.build([file], nowMs, isDraining);
    return batch === undefined ? [] : decodeRecords(batch.bytes).map(({ body }) => body);
  };
  expect(await bodies(joinWaitMs - 1)).toEqual(['a']);
  expect(file.readableBytes(joinWaitMs - 1, false)).toBe(0);
  expect(file.readableBytes(joinWaitMs, false)).toBe(5);
  expect(await bodies(joinWaitMs)).toEqual(['a', 'b']);
  expect(await bodies(0, true)).toEqual(['a', 'b']);
  appendFileSync(path, '\n');
  file.poll(1000);
  expect(await bodies(1000 + joinWaitMs)).toEqual(['a', 'b', 'c']);
});

test('a batch that is nearly full does not cut a stack trace', async () => {
  const path = join(temporaryDirectory(), 'a.log');
  const record = (index: number): string =>
    `line ${index} ${'x'.repeat(index % 97)}\njava.lang.Error: broken\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)`;
  const records = Array.from({ length: 3000 }, (_, index) => record(index));
  // Docker's frames take more bytes than the records made of them: what is left of a batch holds a part of a record.
  const framed = (line: string): string =>
    JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: '2026-01-02T03:04:05.000000006Z' });
  const lines = records.flatMap((text) => text.split('\n'));
  writeFileSync(path, `${lines.map(framed).join('\n')}\n`);
  await using file = Object.assign(await follow(path), { [Symbol.asyncDispose]: () => file.close() });
  const builder = createBuilder(20_000);
  const bodies: string[] = [];
  let batches = 0;
  while (file.unreadBytes > 0) {
    const batch = (await builder.build([file], joinWaitMs, false))!;
    bodies.push(...decodeRecords(batch.bytes).map(({ body }) => body));
    file.offset = batch.ranges.at(-1)!.to;
    batches++;
  }
  expect(batches).toBeGreaterThan(2);
  expect(bodies).toEqual(records);
});
