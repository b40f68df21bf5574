/**
 * Goal: two processes never use one checkpoint, and a dead one's lock stops nobody.
 * Method: real processes hold the lock.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockState } from '#agent/logs/checkpoint/state-lock.ts';
import { ConfigError } from '#model/errors.ts';
import { startAgent, temporaryDirectory } from '../log-agent-run.ts';

const fail = (message: string): never => {
  throw new Error(message);
};

test('the lock of a running process refuses a second agent by name, and that of a killed one does not', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'state', 'logs.json');
  const child = join(import.meta.dirname, '..', 'crash-child.ts');
  const owner = spawn(process.execPath, [child, directory, join(directory, 'sink'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(owner.stdout!, 'data');
    expect(() => startAgent(directory)).toThrow(ConfigError);
    expect(() => startAgent(directory)).toThrow(
      `another agent (pid ${owner.pid}) uses ${path}: stop it, or give this one another agent.state_path`,
    );
  } finally {
    const exited = once(owner, 'exit');
    owner.kill('SIGKILL');
    await exited;
  }
  expect(existsSync(`${path}.lock`)).toBe(true);
  const { agent } = startAgent(directory);
  expect(readFileSync(`${path}.lock`, 'utf8').split(' ')[0]).toBe(String(process.pid));
  await agent.stop({ drainMs: 100 });
  expect(readdirSync(join(directory, 'state'))).toEqual(['logs.json']);
});

test.each([
  { name: 'names nobody', text: '' },
  { name: 'is our own', text: `${process.pid} 1\n` },
  // The parent runs, and did not start with the machine: its number was another process's when this was written.
  { name: 'names a process of before a reboot', text: `${process.ppid} 1\n` },
])('a lock that $name is taken over', ({ text }) => {
  const path = join(temporaryDirectory(), 'logs.json');
  writeFileSync(`${path}.lock`, text);
  const unlock = lockState(path, fail);
  expect(readFileSync(`${path}.lock`, 'utf8')).toMatch(new RegExp(`^${process.pid} \\d*\n$`));
  unlock();
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('a disk that takes no lock is said, and stops nothing', () => {
  const path = join(temporaryDirectory(), 'logs.json');
  mkdirSync(`${path}.lock`);
  const messages: string[] = [];
  lockState(path, (message) => messages.push(message))();
  expect(messages[0]).toContain('cannot lock');
});
