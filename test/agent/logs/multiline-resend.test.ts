/**
 * Goal: batches under way stay the same, whatever rules files get meanwhile.
 * Method: an agent whose batches go unanswered, rules that change while it runs or between two runs, and a next start.
 */
import { appendFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import type { FileOrigin, LogOrigins } from '#agent/logs/tail/log-source.ts';
import type { Delivery, Envelope } from '#wire/envelope.ts';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';
import { criLine } from './log-text.ts';
import { never, RecordingTransport } from './recording-transport.ts';

class TestOrigins implements LogOrigins {
  revision = 0;
  answer: FileOrigin;

  constructor(multiline: string) {
    this.answer = originOf(multiline);
  }

  find(): FileOrigin {
    return this.answer;
  }

  sources(): readonly [] {
    return [];
  }
}

function originOf(multiline: string): FileOrigin {
  return { attributes: {}, rules: { isCollected: true, multiline, parse: '', rateLimitBytes: 0 } };
}

const hang = (_: Envelope, abort: AbortSignal): Promise<Delivery | undefined> => never(_, abort);

test('a rule that changes while a batch is under way is not for that batch', async () => {
  const directory = temporaryDirectory();
  const origins = new TestOrigins('off');
  writeFileSync(join(directory, 'a.log'), '#1\na\nb\n#2\nc\n');
  const first = startAgent(directory, { origins: () => origins });
  first.transport.intercept = hang;
  await until('a batch is under way', () => first.transport.sent.length > 0);
  origins.answer = originOf('^#');
  origins.revision++;
  const checkpoint = join(directory, 'state', 'logs.json');
  await until('the change is in the checkpoint', () =>
    JSON.stringify(loadCheckpoint(checkpoint)).includes('"^#"'),
  );
  await first.agent.stop({ drainMs: 0 });
  const second = startAgent(directory, { origins: () => origins });
  await until('it is sent again', () => second.transport.sent.length > 0);
  const [sent, again] = [first.transport.sent[0]!, second.transport.sent[0]!];
  expect(again.batchId).toBe(sent.batchId);
  expect(Buffer.from(again.bytes).equals(sent.bytes)).toBe(true);
});

test('a rule that is configured between two runs is not for batches of the first', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, ['#1', 'a', 'b'].map((body) => criLine(body)).join(''));
  const first = startAgent(directory, { multiline: 'off' });
  first.transport.intercept = hang;
  const isSent = () =>
    first.agent.status().bytesRead === statSync(path).size &&
    first.transport.sent.length === first.agent.status().batchesInFlight;
  await until('the first lines are under way', isSent);
  appendFileSync(path, ['#2', 'c', 'd'].map((body) => criLine(body)).join(''));
  await until('all lines are', isSent);
  await first.agent.stop({ drainMs: 0 });
  const transport = new RecordingTransport();
  let answer = () => {};
  transport.intercept = async () => {
    // The first answer comes when files were looked at, and have the new rule.
    await new Promise<void>((resolve) => (answer = resolve));
    return undefined;
  };
  const second = startAgent(directory, { multiline: '^#', transport });
  await second.agent.firstLook;
  for (let count = 1; count <= first.transport.sent.length; count++) {
    await until('a batch is sent again', () => transport.sent.length === count);
    answer();
  }
  for (const [index, sent] of first.transport.sent.entries()) {
    expect(transport.sent[index]!.batchId).toBe(sent.batchId);
    expect(Buffer.from(transport.sent[index]!.bytes).equals(sent.bytes)).toBe(true);
  }
});
