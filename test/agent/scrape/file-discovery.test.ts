/**
 * Goal: target files become targets, changes are followed, and a broken file says why and keeps what it had.
 * Method: a table of file texts; then real files that change under a discovery that polls fast.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { parseTargetFile, startFileDiscovery } from '#agent/scrape/file-discovery.ts';
import { until } from './memory-transport.ts';

test.each<[string, string, string, unknown]>([
  [
    'an address',
    'a.json',
    '[{"targets":["127.0.0.1:80"]}]',
    [{ url: 'http://127.0.0.1/metrics', job: 'file', labels: {} }],
  ],
  [
    'labels that steer and labels that stay',
    'a.json',
    '[{"targets":["a:1","[::1]:2"],"labels":{"job":"j","__scheme__":"https","__metrics_path__":"/m?x=1","__param_y":"2","__z":"","zone":"b"}}]',
    ['https://a:1/m?x=1&y=2', 'https://[::1]:2/m?x=1&y=2'].map((url) => ({
      url,
      job: 'j',
      labels: { zone: 'b' },
    })),
  ],
  [
    'YAML',
    'a.yml',
    '- targets: [a:1]\n  labels: {job: j}\n',
    [{ url: 'http://a:1/metrics', job: 'j', labels: {} }],
  ],
  ['an empty file', 'a.yml', '', []],
])('a file is understood: %s', (_name, path, text, targets) =>
  expect(parseTargetFile(text, path)).toEqual(targets),
);

test.each([
  ['no JSON', 'a.json', '[{', /JSON/],
  ['no YAML', 'a.yml', 'a: [', /./],
  ['no list', 'a.json', '{"targets":[]}', 'expected [{ targets: [...], labels: {...} }]'],
  ['a label that is no text', 'a.json', '[{"targets":[],"labels":{"a":1}}]', '0.labels.a'],
  [
    'a path in the address',
    'a.json',
    '[{"targets":["a:1/metrics"]}]',
    'group 0: "a:1/metrics" is not a host and port such as "127.0.0.1:8080"',
  ],
  [
    'a scheme in the address',
    'a.json',
    '[{"targets":[]},{"targets":["http://a"]}]',
    'group 1: "http://a" is not a host',
  ],
  ['a port that is none', 'a.json', '[{"targets":["a:x"]}]', 'group 0: "a:x"'],
  [
    'another scheme',
    'a.json',
    '[{"targets":["a:1"],"labels":{"__scheme__":"ftp"}}]',
    'group 0: __scheme__ is "ftp"',
  ],
  ['an alias bomb', 'a.yml', `a: &a [x]\nb: &b [${'*a,'.repeat(90)}]\nc: [${'*b,'.repeat(90)}]\n`, /alias/],
])('a file is refused with its reason: %s', (_name, path, text, message) => {
  expect(() => parseTargetFile(text, path)).toThrow(message);
});

test('files are followed as they come, change, break and go', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-targets-'));
  const path = join(directory, 'fleet.json');
  const write = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  let jobs: string[] = ['not called'];
  let calls = 0;
  const discovery = await startFileDiscovery({
    globs: [join(directory, '*.json'), join(directory, 'absent/*.json')],
    pollIntervalMs: 10,
    log: pino({ enabled: false }),
    onTargets: (targets) => {
      calls++;
      jobs = targets.map(({ job }) => job);
    },
  });
  onTestFinished(async () => {
    await discovery.stop();
    await rm(directory, { recursive: true });
  });
  expect(jobs).toEqual(['not called']);
  await write('[{"targets":["a:1"],"labels":{"job":"one"}}]');
  await until(() => jobs.join() === 'one');
  await writeFile(join(directory, 'b.json'), '[{"targets":["b:1"],"labels":{"job":"two"}}]');
  await until(() => jobs.join() === 'two,one');
  await write('[{"targets":["a:1"');
  await until(() => discovery.status().some(({ fault }) => fault.includes('JSON')));
  expect(discovery.status()).toMatchObject([
    { targets: 1, fault: '' },
    { path, targets: 1 },
  ]);
  await write('[{"targets":["a:1"],"labels":{"job":"three"}}]');
  await until(() => jobs.join() === 'two,three');
  await rm(path);
  await until(() => jobs.join() === 'two');
  expect(calls).toBe(4);
});
