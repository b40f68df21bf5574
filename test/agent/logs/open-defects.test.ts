/**
 * Goal: what the log agent should do and does not do yet.
 * Method: each test fails now, and says so; one that passes is to be moved to the tests of its part.
 */
import { appendFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DirectoryListings } from '#agent/logs/tail/directory-listings.ts';
import { numberedLines, startAgent, temporaryDirectory, until } from './log-agent-run.ts';

test.fails('lines that come into an empty file after it was rotated are read', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'error.log');
  writeFileSync(path, '');
  const { agent, transport } = startAgent(directory);
  await agent.firstLook;
  await delay(100);
  renameSync(path, `${path}.1`);
  writeFileSync(path, '');
  appendFileSync(`${path}.1`, 'an error before the writer reopened\n');
  await delay(100);
  appendFileSync(path, 'after\n');
  await until('the new file is read', () => transport.bodies().includes('after'));
  await delay(300);
  expect(transport.bodies()).toContain('an error before the writer reopened');
});

test.fails('a rotation gives no new burst to a file that grows too fast', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'start\n');
  const { agent, transport } = startAgent(directory, { rateLimitBytes: 100 });
  await until('the first line lands', () => transport.records().length === 1);
  for (let rotation = 1; rotation <= 10; rotation++) {
    renameSync(path, `${path}.${rotation}`);
    writeFileSync(path, numberedLines(rotation * 1000, rotation * 1000 + 100));
    await until('it is found', () =>
      agent.status().files.some(({ isPresent, size }) => isPresent && size > 6),
    );
    await delay(60);
  }
  await until('all is read or dropped', () => agent.status().lagBytes === 0);
  const landed = transport.bodies().reduce((sum, body) => sum + body.length + 1, 0);
  // Ten seconds' worth at once, and what was earned since.
  expect(landed).toBeLessThan(100 * 15);
});

test.fails('a name that comes while the directory keeps its time is seen', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings();
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  await listings.list(directory);
  // As rsync --times, tar and cp --preserve leave it.
  writeFileSync(join(directory, 'a.log'), 'a\n');
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  expect((await listings.list(directory)).map(({ name }) => name)).toEqual(['a.log']);
});
