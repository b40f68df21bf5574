/**
 * Goal: the last lines of a file that was quiet for long are sent before the agent stops.
 * Method: an agent whose clock jumps ahead, so that the file has been quiet, and a line right before the stop.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';

test('a quiet file is looked at once more before the end', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'first\n');
  let aheadMs = 0;
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs);
  onTestFinished(() => void clock.mockRestore());
  const { agent, transport } = startAgent(directory);
  await until('the first lands', () => transport.records().length === 1);
  aheadMs = 60_000;
  await delay(100);
  appendFileSync(path, 'last\n');
  await agent.stop({ drainMs: 5000 });
  expect(transport.bodies()).toEqual(['first', 'last']);
});
