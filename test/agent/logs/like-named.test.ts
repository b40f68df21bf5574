/**
 * Goal: a file that is named after another, and starts as it does, is read all the same.
 * Method: an agent and two files of which the longer is no copy.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';

test('a file that goes on where another ends is no copy of it', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'app'), 'started\n');
  writeFileSync(join(directory, 'app-worker'), 'started\nworking\n');
  const { transport } = startAgent(directory, { globs: [join(directory, 'app*')] });
  await until('its lines land', () => transport.bodies().includes('working'));
});
