/**
 * Goal: a rate limit drops whole lines, whenever the agent looks at a file.
 * Method: an agent that looks at a real file while a line of it is half written.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LogAgent } from '#agent/logs/log-agent.ts';
import { startAgent, temporaryDirectory, until } from '../log-agent-run.ts';

function isDone(agent: LogAgent, size: number): boolean {
  const { files, lagBytes } = agent.status();
  return files[0]?.size === size && lagBytes === 0;
}

test('a line that is half written at the end of a dropped range is not torn', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'start\n');
  const { agent, transport } = startAgent(directory, { rateLimitBytes: 100 });
  await until('the first line lands', () => transport.records().length === 1);
  const lines = Array.from({ length: 300 }, (_, index) => `line ${1000 + index}\n`).join('');
  appendFileSync(path, `${lines}half a `);
  await until('some is dropped', () => agent.status().lost.length > 0);
  await until('the rest waits', () => agent.status().files[0]!.size === 6 + lines.length + 7);
  await new Promise((resolve) => setTimeout(resolve, 200));
  appendFileSync(path, 'line\n');
  await until('all is read or dropped', () => isDone(agent, 6 + lines.length + 12));
  for (const body of transport.bodies()) expect(body).toMatch(/^(start|line \d{4}|half a line)$/);
  const landed = transport.bodies().reduce((sum, body) => sum + body.length + 1, 0);
  const [loss] = agent.status().lost;
  expect(landed + loss!.bytes).toBe(6 + lines.length + 12);
});

test('a long line that is dropped while it is written is dropped to its end', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'start\n');
  const { agent, transport } = startAgent(directory, { rateLimitBytes: 100 });
  await until('the first line lands', () => transport.records().length === 1);
  appendFileSync(path, 'x'.repeat(5000));
  await until('it is seen', () => agent.status().files[0]!.size === 5006);
  await new Promise((resolve) => setTimeout(resolve, 200));
  appendFileSync(path, `${'x'.repeat(10)}\nmore\n`);
  await until('all is read or dropped', () => isDone(agent, 5006 + 16));
  expect(transport.bodies().join()).not.toContain('x');
  const landed = transport.bodies().reduce((sum, body) => sum + body.length + 1, 0);
  expect(landed + (agent.status().lost[0]?.bytes ?? 0)).toBe(5006 + 16);
});
