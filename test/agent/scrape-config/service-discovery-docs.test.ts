/**
 * Goal: the example of the documentation is a configuration that works, and what it says is refused is refused.
 * Method: take the texts out of docs/agent/service-discovery.md and load them.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadPrometheusFile } from '#agent/scrape-config/load-prometheus-file.ts';
import { scrapeConfigOptions } from '#agent/scrape-config/scrape-config-options.ts';

const documentation = await readFile(
  join(import.meta.dirname, '../../../docs/agent/service-discovery.md'),
  'utf8',
);

test('the example loads as it stands', async () => {
  const [, example = ''] = /```yaml prometheus\.yml\n([\s\S]*?)```/.exec(documentation) ?? [];
  const directory = await mkdtemp(join(tmpdir(), 'sonde-docs-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'prometheus.yml');
  await writeFile(path, example);
  const { jobs, notes } = await loadPrometheusFile(path);
  expect(
    jobs.map(({ name, discoveries }) => `${name}: ${discoveries.map(({ kind }) => kind).join()}`),
  ).toEqual(['node: static', 'pods: kubernetes', 'inventory: http']);
  expect(notes).toEqual([`${path}: not read by this agent, which only scrapes: rule_files`]);
});

test('every option that it names exists', () => {
  const known = new Set([
    'scrape.urls',
    'scrape.targets',
    'scrape.files',
    'scrape.interval_ms',
    'scrape.timeout_ms',
  ]);
  for (const name of Object.keys(scrapeConfigOptions)) known.add(name);
  const named = [...documentation.matchAll(/`(scrape\.[a-z_.]+)/g)].map(([, name]) => name);
  expect(named.filter((name) => !known.has(name!))).toEqual([]);
  expect(
    Object.keys(scrapeConfigOptions).filter((name) => name !== 'scrape.docker_host' && !named.includes(name)),
  ).toEqual([]);
});
