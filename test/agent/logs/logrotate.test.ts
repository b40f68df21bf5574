/**
 * Goal: nothing is lost or doubled when the real logrotate moves files, in both of its modes.
 * Method: Debian's logrotate with a configuration of its own, run again and again between writes, and an agent that follows.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hasTool } from '../../support/debian-tool.ts';
import { numberedBodies, numberedLines, startAgent, temporaryDirectory, until } from './log-agent-run.ts';

const isThere = hasTool('logrotate', 'logrotate');
const rotations = 8;
const linesPerFile = 400;

function rotate(directory: string, mode: string): void {
  const config = join(directory, 'logrotate.conf');
  const options = ['rotate 50', 'missingok', 'su root root', mode].map((option) => `  ${option}`).join('\n');
  writeFileSync(config, `${join(directory, 'app.log')} {\n${options}\n}\n`);
  // It refuses configurations that others may write.
  chmodSync(config, 0o600);
  const { status, stderr } = spawnSync('logrotate', [
    '--force',
    '--state',
    join(directory, 'state.txt'),
    config,
  ]);
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
}

test.runIf(isThere).each(['create 0644 root root', 'copytruncate', 'nocreate', 'compress\n  delaycompress'])(
  'logrotate: %s',
  async (mode) => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'state'));
    const path = join(directory, 'app.log');
    const { agent, transport } = startAgent(directory);
    for (let rotation = 0; rotation < rotations; rotation++) {
      const first = rotation * linesPerFile + 1;
      appendFileSync(path, numberedLines(first, first + linesPerFile - 1));
      // What is written and not copied, or compressed before it was read, is gone for any reader.
      if (mode.startsWith('co'))
        await until('all is read', () => transport.records().length === first + linesPerFile - 1);
      if (rotation % 3 === 0) await delay(30);
      rotate(directory, mode);
    }
    const total = rotations * linesPerFile;
    await until('all lands', () => transport.records().length >= total);
    await delay(100);
    expect(transport.bodies().sort()).toEqual(numberedBodies(1, total).sort());
    expect(agent.status().lost).toEqual([]);
  },
);
