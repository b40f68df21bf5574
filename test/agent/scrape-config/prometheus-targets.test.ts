/**
 * Goal: a configuration finds the targets here that Prometheus itself finds with it, label by label.
 * Method: a real Prometheus and our discovery read one file and ask the same servers (Docker, files);
 * /api/v1/targets of both is compared. Debian's Prometheus is built without Kubernetes.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { startTargetDiscovery } from '#agent/scrape-config/target-discovery.ts';
import { targetsReport } from '#agent/scrape-config/targets-report.ts';
import { freePort, hasTool, startTool } from '../../support/debian-tool.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { eventually } from '../../support/eventually.ts';

const canRun = hasTool('prometheus', 'prometheus');

const rules = `
      - {source_labels: [__address__], regex: '([^:]+):(\\d+)', target_label: host, replacement: '\${1}_$2_$1x'}
      - {source_labels: [a, b], separator: '|', target_label: joined}
      - {source_labels: [a], regex: 'd.op|exact', action: drop}
      - {source_labels: [b], regex: '', action: keep}
      - {regex: 'team_(.+)', replacement: 'own_\${1}', action: labelmap}
      - {regex: 'team_.*', action: labeldrop}
      - {source_labels: [__address__], modulus: 8, target_label: shard, action: hashmod}
      - {source_labels: [a], target_label: up, action: uppercase}
      - {source_labels: [a], target_label: low, action: lowercase}
      - {source_labels: [a], regex: 'del', target_label: a, replacement: ''}
      - {source_labels: [a], regex: '(?P<first>[a-zA-Z])(.*)', target_label: '\${first}_name', replacement: '$2$$'}
      - {source_labels: [__param_m], target_label: m}
      - {source_labels: [a], regex: 'slow', target_label: __scrape_interval__, replacement: 2m}
      - {source_labels: [a], regex: 'path', target_label: __metrics_path__, replacement: /other/ü}
      - {source_labels: [a], regex: 'param', target_label: __param_m, replacement: 'x y'}`;

function configuration(docker: string, files: string): string {
  const values = ['x', 'drop', 'dXop', 'exact', 'del', 'MiXed', 'slow', 'path', 'param', 'a b', 'été'];
  const targets = values.map(
    (value, index) => `{targets: ['h${index}:80${index}'], labels: {a: '${value}', team_x: y}}`,
  );
  return `
scrape_configs:
  - job_name: rules
    params: {m: ['1', '2'], n: ['3']}
    static_configs: [${targets.join(', ')}, {targets: ['gone:1'], labels: {b: set}}]
    relabel_configs:${rules}
  - {job_name: files, file_sd_configs: [{files: ['${files}']}]}
  - {job_name: docker, docker_sd_configs: [{host: '${docker}', refresh_interval: 1s}]}
`;
}

const containers = [
  {
    Id: 'c1',
    Names: ['/web'],
    Labels: { 'a.b': 'c' },
    HostConfig: { NetworkMode: 'n' },
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 53, Type: 'udp' },
    ],
    NetworkSettings: { Networks: { n: { NetworkID: 'n1', IPAddress: '172.18.0.2' } } },
  },
  {
    Id: 'c2',
    Names: ['/side'],
    Labels: {},
    HostConfig: { NetworkMode: 'container:c1' },
    Ports: [],
    NetworkSettings: { Networks: {} },
  },
];
const networks = [
  { Id: 'n1', Name: 'n', Scope: 'local', Internal: true, Ingress: false, Labels: { x: 'y' } },
];

interface Active {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly scrapeInterval: string;
}

function comparable(targets: readonly Active[]): string[] {
  const sorted = (labels: Readonly<Record<string, string>>): string =>
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(' ');
  return targets
    .map(
      ({ scrapePool, scrapeUrl, labels, discoveredLabels, scrapeInterval }) =>
        `${scrapePool}: ${sorted(discoveredLabels)} -> ${scrapeUrl} every ${scrapeInterval} ${sorted(labels)}`,
    )
    .sort();
}

test.skipIf(!canRun)('the same targets as Prometheus', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-oracle-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const engine = await startDockerEngine();
  Object.assign(engine, { summaries: containers, networks });
  const path = join(directory, 'prometheus.yml');
  await writeFile(join(directory, 'f.yml'), '- targets: [f:1]\n  labels: {n: 1.10, b: true}\n');
  await writeFile(path, configuration(engine.host, join(directory, 'f.yml')));
  const port = await freePort();
  const args = [
    `--config.file=${path}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--storage.tsdb.path=data',
  ];
  await using prometheus = startTool('prometheus', args, directory);
  const discovery = await startTargetDiscovery({
    targets: [],
    targetFiles: [],
    configFiles: [path],
    configs: [],
    annotatedPodsOf: undefined,
    labelledContainersOf: undefined,
    defaults: { intervalMs: 15_000, timeoutMs: 10_000 },
    environment: {},
    log: pino({ level: 'silent' }),
    onTargets: () => {},
  });
  onTestFinished(() => discovery.stop());
  await eventually(() => discovery.isReady, discovery.problems);
  const ours = targetsReport(discovery.status(), () => undefined);
  const pools = new Set(
    comparable(ours.activeTargets as unknown as Active[]).map((line) => line.split(':')[0]),
  );
  expect([...pools]).toEqual(['docker', 'files', 'rules']);
  const theirs = await eventually(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/targets`).catch(() => undefined); // Not up yet.
      if (!answer?.ok) return undefined;
      const { data } = (await answer.json()) as {
        data: { activeTargets: Active[]; droppedTargets: { discoveredLabels: { job: string } }[] };
      };
      return new Set(data.activeTargets.map(({ scrapePool }) => scrapePool)).size === pools.size
        ? data
        : undefined;
    },
    () => prometheus.output().slice(-2000),
  );
  expect(comparable(ours.activeTargets as unknown as Active[])).toEqual(comparable(theirs.activeTargets));
  const dropped = theirs.droppedTargets.filter(({ discoveredLabels }) => discoveredLabels.job === 'rules');
  expect(ours.droppedTargetCounts.rules).toBe(dropped.length);
});
