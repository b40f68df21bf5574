/**
 * Goal: docs/agent/host-and-containers.md says what the code does.
 * Method: the tables of collectors and of metrics are rendered from the code and looked for in the page; so are the
 * options of its examples, and the allow-list of series that node_exporter alone has.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as cadvisor from '#agent/cgroup/cadvisor-metrics.ts';
import { hostCollectors } from '#agent/host/collector-table.ts';
import { loadConfig } from '#model/config/load.ts';
import { configTables } from '../../../role/config-tables.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/agent/host-and-containers.md'), 'utf8');

test('the table of collectors is the one of the code', () => {
  const rows = hostCollectors.map(
    ({ name, isDefault, reads, makes }) =>
      `| \`${name}\` | ${isDefault ? 'on' : 'off'} | ${reads.replaceAll('|', '\\|')} | ${makes} |`,
  );
  const heading = '| collector | default | reads | makes |\n|---|---|---|---|\n';
  const start = page.indexOf(heading);
  expect(start).toBeGreaterThan(0);
  const table = page.slice(start + heading.length).split('\n\n')[0]!;
  expect(table.split('\n')).toEqual(rows);
});

test('each metric of a container is named', () => {
  const { network, pressure, ...single } = cadvisor;
  const names = [
    ...Object.values(single),
    ...network.map(([, metric]) => metric),
    ...Object.values(pressure).flatMap(({ some, full }) => [some, full]),
  ].map(({ name }) => name);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('the examples are configurations that load', () => {
  const examples = [...page.matchAll(/```yaml\n(agent:[\s\S]*?)```/g)].map(([, text]) => text!);
  expect(examples).toHaveLength(2);
  for (const text of examples) {
    const file = { path: 'host-and-containers.md', text };
    const { origins } = loadConfig(configTables, { file, environment: {}, commandLine: new Map() });
    expect([...origins.values()].some((origin) => origin.startsWith('host-and-containers.md:'))).toBe(true);
  }
});

test("a collector's name that is none is refused with the names that are", () => {
  const file = {
    path: 'sonde.yml',
    text: 'agent:\n  host:\n    collectors_off: [timex]\n    proc_path: proc\n',
  };
  const load = (): unknown => loadConfig(configTables, { file, environment: {}, commandLine: new Map() });
  expect(load).toThrow(/sonde\.yml:3.*collectors_off.*expected a collector's name: cpu, cpufreq/);
  expect(load).toThrow(/sonde\.yml:4.*proc_path.*expected an absolute path/);
});
