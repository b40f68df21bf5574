/**
 * Goal: a container that names thousands of files leaves room for the standard streams of all others.
 * Method: more files in a volume than labels may have, and a file that comes after them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileGlob } from '#agent/logs/tail/file-glob.ts';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';

test('files that labels name take half of the places', { timeout: 30_000 }, async () => {
  const directory = temporaryDirectory();
  const base = join(directory, 'volume');
  mkdirSync(base);
  for (let index = 0; index < 5010; index++) writeFileSync(join(base, `${index}.txt`), 'x\n');
  const rules = { isCollected: true, multiline: 'auto', parse: '', rateLimitBytes: 0 };
  const sources = [{ glob: compileGlob(join(base, '*.txt')), base, origin: { attributes: {}, rules } }];
  const origins = { revision: 0, find: () => undefined, sources: () => sources };
  const { agent, transport } = startAgent(directory, { origins: () => origins });
  await agent.firstLook;
  expect(agent.status().files).toHaveLength(5000);
  expect(agent.status().problems).toHaveLength(10);
  writeFileSync(join(directory, 'pod.log'), 'a pod\n');
  await until('it is read', () => transport.bodies().includes('a pod'));
});
