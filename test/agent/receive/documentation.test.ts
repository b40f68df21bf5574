/**
 * Goal: what docs/agent/receiving.md shows can be copied.
 * Method: its configuration is loaded, its JSON parsed, its StatsD line added; rsyslog's is in syslog-senders.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '#model/config/load.ts';
import { StatsdAggregator } from '#wire/statsd/statsd-aggregator.ts';
import { configTables } from '../../../role/config-tables.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/agent/receiving.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => text!);

test.each(blocks('yaml'))('%s', (text) => {
  const { origins } = loadConfig(configTables, {
    file: { path: 'sonde.yaml', text },
    environment: {},
    commandLine: new Map(),
  });
  expect([...origins.values()].some((origin) => origin.startsWith('sonde.yaml'))).toBe(true);
});

test("Docker's settings are JSON with texts only", () => {
  const [settings] = blocks('json').map((text) => JSON.parse(text));
  expect(settings['log-driver']).toBe('fluentd');
  expect(Object.values(settings['log-opts']).every((value) => typeof value === 'string')).toBe(true);
});

test('the StatsD line is one', () => {
  const line = Buffer.from(/echo '(.*)'/.exec(blocks('sh')[0]!)![1]!);
  const limits = { seriesMax: 1, setMembersMax: 1, requestBytesMax: 1000, staleMs: 1000 };
  const aggregator = new StatsdAggregator({ ...limits, buckets: [1], labels: {} });
  expect(aggregator.add(line, 0, line.length, 0)).toBe('');
});

test('every option that the page names is one', () => {
  const names = Object.keys(configTables.agent);
  const named = [...page.matchAll(/`((?:syslog|fluent|statsd|buffer)\.[a-z_]+)\b[^`]*`/g)].map(
    ([, name]) => name!,
  );
  expect(named.length).toBeGreaterThan(10);
  // Attributes of records, not options.
  const attributes = ['syslog.problem', 'fluent.tag'];
  expect(named.filter((name) => !names.includes(name) && !attributes.includes(name))).toEqual([]);
});
