/**
 * Goal: an agent finds the API server and the engine by its options, and says what is wrong with them.
 * Method: servers with TLS and on a socket; a service account and kubeconfigs in a temporary directory.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { ContainerDirectory } from '#agent/containers/container-facts.ts';
import { containersOptions } from '#agent/containers/containers-options.ts';
import { type ContainersStart, startContainers } from '#agent/containers/start-containers.ts';
import { hasOpenssl, makeCertificates } from '../../support/certificates.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { KubeApiServer } from '../../support/kube-api-server.ts';
import { hexId, nodeName, podObject } from '../../support/kube-objects.ts';

const certificates = hasOpenssl() ? makeCertificates() : undefined;

const defaults = Object.fromEntries(
  Object.entries(containersOptions).map(([key, { default: value }]) => [key, value]),
) as ContainersStart['options'];

async function temporary(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sonde-containers-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function start(
  options: Partial<ContainersStart['options']>,
  rest: Partial<ContainersStart> = {},
): Promise<{ directory: ContainerDirectory; warnings: string[] }> {
  const warnings: string[] = [];
  const directory = await startContainers({
    options: { ...defaults, 'docker.socket': join(await temporary(), 'none.sock'), ...options },
    node: '',
    environment: {},
    serviceAccountPath: '/nonexistent',
    log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
    ...rest,
  });
  onTestFinished(() => directory.stop());
  return { directory, warnings };
}

async function startCluster(): Promise<{
  server: KubeApiServer;
  account: string;
  environment: Record<string, string>;
}> {
  const { authority, server: own } = certificates!;
  const server = await KubeApiServer.start(createServer({ key: own.key, cert: own.cert }));
  onTestFinished(() => server.close());
  server.token = 'eyJhbGciOiJSUzI1NiJ9';
  server.apply(podObject({ name: 'cart-0', uid: 'uid-cart' }));
  const account = join(await temporary(), 'serviceaccount');
  await mkdir(account);
  await writeFile(join(account, 'token'), `${server.token}\n`);
  await writeFile(join(account, 'ca.crt'), authority.cert);
  const environment = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT_HTTPS: String(server.port),
  };
  return { server, account, environment };
}

const place = { podUid: 'uid-cart', containerName: 'web' };

test('nothing is asked where there is neither a cluster nor an engine', async () => {
  const { directory, warnings } = await start({});
  await eventually(() => directory.isReady);
  expect([directory.problem(), directory.all().size, directory.find(place), warnings]).toEqual([
    '',
    0,
    undefined,
    [],
  ]);
});

test.skipIf(certificates === undefined)(
  'in a pod its service account is used, and a token that is replaced',
  async () => {
    const { server, account, environment } = await startCluster();
    const { directory } = await start(
      {},
      { serviceAccountPath: account, environment: { ...environment, NODE_NAME: nodeName } },
    );
    await eventually(() => directory.isReady && server.watchers === 1);
    expect(directory.find(place)?.attributes['k8s.node.name']).toBe(nodeName);
    server.token = 'the-next-token';
    await writeFile(join(account, 'token'), server.token);
    await server.dropWatches('end');
    server.apply(podObject({ name: 'cart-1', uid: 'uid-1' }));
    await eventually(() => directory.find({ podUid: 'uid-1', containerName: 'web' }));
  },
);

test.skipIf(certificates === undefined)(
  'a kubeconfig is used by its current context, below a path too',
  async () => {
    const { server } = await startCluster();
    const path = join(await temporary(), 'config');
    const ca = Buffer.from(certificates!.authority.cert).toString('base64');
    await writeFile(
      path,
      [
        'apiVersion: v1',
        'kind: Config',
        'current-context: rancher',
        'contexts: [{ name: rancher, context: { cluster: c, user: u } }]',
        `clusters: [{ name: c, cluster: { server: "https://127.0.0.1:${server.port}/k8s/clusters/c-1", certificate-authority-data: ${ca} } }]`,
        `users: [{ name: u, user: { token: ${server.token} } }]`,
        '',
      ].join('\n'),
    );
    const { directory } = await start({ 'kubernetes.kubeconfig': path }, { node: nodeName });
    await eventually(
      () => directory.find(place),
      () => directory.problem(),
    );
  },
);

test.skipIf(certificates === undefined)(
  'a server with the certificate of somebody else is a problem',
  async () => {
    const { account, environment } = await startCluster();
    await writeFile(join(account, 'ca.crt'), makeCertificates().authority.cert);
    const { directory } = await start({}, { serviceAccountPath: account, environment, node: nodeName });
    await eventually(() => directory.problem() !== '');
    expect(directory.problem()).toMatch(/^Kubernetes pods: .*certificate/);
    expect(directory.isReady).toBe(false);
  },
);

test('options that cannot work are refused', async () => {
  await expect(start({ 'kubernetes.mode': 'on' })).rejects.toThrow(
    'agent.kubernetes.mode is on, but there is no service account token in this pod',
  );
  await expect(start({ 'docker.socket': 'npipe:////./pipe/docker_engine' })).rejects.toThrow(
    'agent.docker.socket is',
  );
  const path = join(await temporary(), 'config');
  await expect(start({ 'kubernetes.kubeconfig': path })).rejects.toThrow(
    `kubeconfig ${path} cannot be read: ENOENT`,
  );
  await writeFile(path, 'apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n');
  await expect(start({ 'kubernetes.kubeconfig': path })).rejects.toThrow('names no cluster with a server');
});

test('without the name of the node, whose pods to ask for is not known', async () => {
  const account = await temporary();
  await writeFile(join(account, 'token'), 'x');
  const rest = { serviceAccountPath: account, environment: { KUBERNETES_SERVICE_HOST: '127.0.0.1' } };
  const reason =
    "Kubernetes is asked for one node's pods, and nothing says which: set agent.kubernetes.node, or NODE_NAME from spec.nodeName";
  await expect(start({ 'kubernetes.mode': 'on' }, rest)).rejects.toThrow(reason);
  const { warnings } = await start({}, rest);
  expect(JSON.parse(warnings[0]!)).toMatchObject({ reason });
  expect((await start({ 'kubernetes.mode': 'off' }, rest)).warnings).toEqual([]);
});

test.skipIf(certificates === undefined)('pods and containers beside them are in one directory', async () => {
  const { account, environment } = await startCluster();
  const socket = join(await temporary(), 'docker.sock');
  const engine = await startDockerEngine(socket);
  await engine.put({ id: hexId('dd'), name: 'beside' });
  // The engine runs the pod's container, too: Kubernetes knows more about it.
  await engine.put({ id: hexId('c0ffee'), name: 'k8s_web_cart-0_shop_uid-cart_0' });
  const { directory } = await start(
    { 'docker.socket': socket, 'docker.mode': 'on' },
    { serviceAccountPath: account, environment, node: nodeName },
  );
  await eventually(() => directory.isReady);
  expect([...directory.all().keys()].sort()).toEqual([hexId('c0ffee'), hexId('dd')]);
  expect(directory.all()).toBe(directory.all());
  expect(directory.find({ containerId: hexId('dd') })?.attributes['container.name']).toBe('beside');
  expect(directory.find({ containerId: hexId('c0ffee') })?.attributes['k8s.pod.name']).toBe('cart-0');
  expect(directory.all().get(hexId('c0ffee'))?.attributes['k8s.pod.name']).toBe('cart-0');
  let changes = 0;
  directory.onChange(() => {
    changes += 1;
  });
  await engine.put({ id: hexId('ee'), name: 'new' });
  await eventually(() => changes === 1);
  expect(directory.all().get(hexId('ee'))?.attributes['container.name']).toBe('new');
});
