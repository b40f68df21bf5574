/**
 * Goal: an agent's options become targets: URLs, files, prometheus.yml files that change, annotated pods, labelled containers.
 * Method: real files and servers under the whole discovery of an agent.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { kubeEndpoint } from '#agent/discovery/kubernetes/kube-endpoint.ts';
import { kubernetesDiscovery } from '#agent/discovery/kubernetes/kubernetes-discovery.ts';
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { annotatedPodsJob } from '#agent/scrape-config/built-in-jobs.ts';
import { scrapeConfigOptions } from '#agent/scrape-config/scrape-config-options.ts';
import { ScrapePools } from '#agent/scrape-config/scrape-pools.ts';
import {
  startTargetDiscovery,
  type TargetDiscovery,
  type TargetDiscoveryOptions,
} from '#agent/scrape-config/target-discovery.ts';
import { ConfigError } from '#model/errors.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { startKubeApi } from '../../support/kube-api-server.ts';

const render = ({ url, labels }: ResolvedTarget): string =>
  `${url} ${labels.map(([name, value]) => `${name}=${value}`).join(' ')}`;

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-targets-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function start(
  options: Partial<TargetDiscoveryOptions>,
): Promise<{ discovery: TargetDiscovery; targets: () => string[] }> {
  let targets: readonly ResolvedTarget[] = [];
  const discovery = await startTargetDiscovery({
    targets: [],
    targetFiles: [],
    configFiles: [],
    configs: [],
    annotatedPodsOf: undefined,
    labelledContainersOf: undefined,
    defaults: { intervalMs: 15_000, timeoutMs: 10_000 },
    environment: {},
    configPollMs: 5,
    log: pino({ level: 'silent' }),
    onTargets: (found) => {
      targets = found;
    },
    ...options,
  });
  onTestFinished(() => discovery.stop());
  return { discovery, targets: () => targets.map(render) };
}

test('URLs, target files and scrape configs of the options', async () => {
  const directory = await temporaryDirectory();
  await writeFile(
    join(directory, 'a.json'),
    '[{"targets":["f:1"],"labels":{"job":"own"}},{"targets":["f:2"]}]',
  );
  const { discovery, targets } = await start({
    targets: [{ url: 'https://u/m?x=1&x=2', job: 'scrape', labels: { zone: 'z' } }],
    targetFiles: [join(directory, '*.json')],
    configs: [{ job_name: 'inline', static_configs: [{ targets: ['s:1'] }] }],
  });
  await eventually(() => discovery.isReady);
  expect(targets()).toEqual([
    'https://u/m?x=1&x=2 instance=u:443 job=scrape zone=z',
    'http://f:1/metrics instance=f:1 job=own',
    'http://f:2/metrics instance=f:2 job=file',
    'http://s:1/metrics instance=s:1 job=inline',
  ]);
  expect(discovery.problems()).toEqual([]);
});

test('a prometheus.yml is followed; a bad version keeps the one before, and is told', async () => {
  const path = join(await temporaryDirectory(), 'prometheus.yml');
  const config = (target: string): string =>
    `scrape_configs: [{job_name: p, static_configs: [{targets: ['${target}']}]}]`;
  const { discovery, targets } = await start({ configFiles: [path] });
  expect(discovery.problems()[0]).toMatch(/prometheus\.yml: ENOENT/);
  await writeFile(path, config('a:1'));
  await eventually(() => targets()[0] === 'http://a:1/metrics instance=a:1 job=p');
  await writeFile(path, 'scrape_configs: [{job_nam: p}]');
  const problem = await eventually(() => discovery.problems()[0]);
  expect(problem).toContain(`${path}:1: scrape_configs.0: unknown key "job_nam", did you mean "job_name"?`);
  expect(problem).toContain('the version before stays in use');
  expect(targets()).toHaveLength(1);
  await writeFile(path, config('b:1'));
  await eventually(() => targets()[0] === 'http://b:1/metrics instance=b:1 job=p');
  expect(discovery.problems()).toEqual([]);
  await writeFile(path, 'scrape_configs: [{job_name: own}]');
  await eventually(() => targets().length === 0);
});

test('files that scrape_config_files name are followed too', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'prometheus.yml');
  await writeFile(path, 'scrape_config_files: ["*.part.yml"]');
  const part = (name: string): string =>
    `scrape_configs: [{job_name: ${name}, static_configs: [{targets: [${name}:1]}]}]`;
  await writeFile(join(directory, 'a.part.yml'), part('a'));
  const { discovery, targets } = await start({ configFiles: [join(directory, 'prom*.yml')] });
  await eventually(() => targets().join() === 'http://a:1/metrics instance=a:1 job=a');
  await writeFile(join(directory, 'b.part.yml'), part('b'));
  await eventually(() => targets().length === 2);
  await writeFile(join(directory, 'b.part.yml'), part('a'));
  await eventually(() => discovery.problems()[0]?.includes('b.part.yml:1: job_name "a" is taken already'));
  expect(targets()).toHaveLength(2);
  await rm(join(directory, 'b.part.yml'));
  await eventually(() => targets().length === 1 && discovery.problems().length === 0);
  await rm(path);
  await eventually(() => targets().length === 0);
});

test('a job name that is taken is refused, in options and in files', async () => {
  const path = join(await temporaryDirectory(), 'prometheus.yml');
  await writeFile(path, 'scrape_configs: [{job_name: inline}]');
  const { discovery } = await start({ configs: [{ job_name: 'inline' }], configFiles: [path] });
  expect(discovery.problems()).toEqual([`${path}: job_name "inline" is taken already, by the agent itself`]);
  await expect(start({ configs: [{ job_name: 'a' }, { job_name: 'a' }] })).rejects.toThrow(ConfigError);
});

test('the option for scrape configs checks them and keeps them as they are', () => {
  const { schema } = scrapeConfigOptions['scrape.configs'];
  const config = { job_name: 'a', relabel_configs: [{ regex: 'x', action: 'labeldrop' }] };
  expect(schema.parse([config])).toEqual([config]);
  const { error } = schema.safeParse([{ job_name: 'a', metric_path: '/' }]);
  expect(error?.issues[0]?.message).toBe('unknown key "metric_path", did you mean "metrics_path"?');
});

test('containers are scraped as their labels ask', async () => {
  const engine = await startDockerEngine();
  const container = (name: string, labels: Record<string, string>, more: object = {}): object => ({
    Id: name,
    Names: [`/${name}`],
    Labels: labels,
    HostConfig: { NetworkMode: 'bridge' },
    Ports: [
      { PrivatePort: 80, Type: 'tcp' },
      { PrivatePort: 81, Type: 'tcp' },
    ],
    NetworkSettings: { Networks: { bridge: { NetworkID: 'n', IPAddress: '172.17.0.2' } } },
    ...more,
  });
  engine.summaries = [
    container('plain', {}),
    container('off', { 'prometheus.io/scrape': 'true', 'sonde.scrape': 'false' }),
    container('all', { 'prometheus.io/scrape': 'true', 'com.docker.compose.service': 'shop' }),
    container('one', {
      'sonde.scrape': 'true',
      'sonde.port': '9000',
      'prometheus.path': '/m',
      'sonde.interval': '5s',
      'sonde.job': 'j',
    }),
    container(
      'host',
      { 'prometheus.scrape': 'true', 'prometheus.port': '9100' },
      {
        HostConfig: { NetworkMode: 'host' },
        Ports: [],
        NetworkSettings: { Networks: { host: { NetworkID: 'h', IPAddress: '' } } },
      },
    ),
    container('silent', { 'sonde.scrape': 'true' }, { Ports: [] }),
  ];
  const { discovery, targets } = await start({ labelledContainersOf: engine.host });
  await eventually(() => discovery.isReady);
  expect(targets()).toEqual([
    'http://172.17.0.2:80/metrics container=all instance=172.17.0.2:80 job=shop',
    'http://172.17.0.2:81/metrics container=all instance=172.17.0.2:81 job=shop',
    'http://172.17.0.2:9000/m container=one instance=172.17.0.2:9000 job=j',
    'http://localhost:9100/metrics container=host instance=localhost:9100 job=host',
  ]);
  expect(
    discovery.status().find(({ scrapePool }) => scrapePool === 'labelled-containers')?.droppedCount,
  ).toBe(5);
  await discovery.stop();
});

test('pods of this node are scraped as their annotations ask', async () => {
  const api = await startKubeApi();
  const apiServer = api.url;
  const pod = (name: string, annotations: Record<string, string>, more: object = {}): void =>
    api.apply({
      kind: 'Pod',
      metadata: { name, namespace: 'shop', labels: { app: 'web' }, annotations },
      spec: {
        nodeName: 'node-1',
        containers: [
          {
            name: 'app',
            ports: [
              { containerPort: 80, protocol: 'TCP' },
              { containerPort: 53, protocol: 'UDP' },
            ],
          },
          { name: 'bare' },
        ],
        ...more,
      },
      status: {
        podIP: name === 'six' ? 'fd00::6' : '10.0.0.7',
        phase: name === 'done' ? 'Succeeded' : 'Running',
      },
    });
  pod('plain', {});
  pod('ports', { 'prometheus.io/scrape': 'true' });
  pod('elsewhere', { 'prometheus.io/scrape': 'true' }, { nodeName: 'node-2' });
  pod('off', { 'prometheus.io/scrape': 'true', 'sonde.io/scrape': 'false' });
  pod('done', { 'prometheus.io/scrape': 'true' });
  pod('six', {
    'sonde.io/scrape': 'true',
    'prometheus.io/port': '9000',
    'prometheus.io/path': '/m',
    'prometheus.io/scheme': 'https',
    'sonde.io/interval': '5s',
  });
  let targets: readonly ResolvedTarget[] = [];
  const pools = new ScrapePools({
    coalesceMs: 1,
    discoveryOf: (spec) => {
      if (spec.kind !== 'kubernetes') throw new Error(`BUG: ${spec.kind}`);
      const { role, selectors } = spec.config;
      const endpoint = kubeEndpoint({ apiServer, client: spec.client, environment: {} });
      return kubernetesDiscovery({
        role,
        selectors,
        endpoint,
        namespaces: [],
        includesOwnNamespace: false,
        attachesNode: false,
        attachesNamespace: false,
      });
    },
    onTargets: (found) => {
      targets = found;
    },
  });
  onTestFinished(() => pools.stop());
  pools.setJobs([annotatedPodsJob('node-1', { intervalMs: 15_000, timeoutMs: 10_000 })]);
  await eventually(() => targets.length === 2);
  expect(targets.map(render)).toEqual([
    'http://10.0.0.7:80/metrics container=app instance=10.0.0.7:80 job=web namespace=shop node=node-1 pod=ports',
    'https://[fd00::6]:9000/m instance=[fd00::6]:9000 job=web namespace=shop node=node-1 pod=six',
  ]);
  expect(targets[1]?.settings).toMatchObject({ intervalMs: 5000, timeoutMs: 5000 });
});
