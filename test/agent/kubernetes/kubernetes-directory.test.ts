/**
 * Goal: what is known of this node's pods is what the API server has, through every way that a watch can fail; and a
 * look-up asks nobody.
 * Method: a server that speaks the watch protocol over HTTP, with whole objects, and faults made on demand.
 */
import { expect, test } from 'vitest';
import { getJson } from '#agent/containers/json-http.ts';
import type { KubernetesDirectory } from '#agent/kubernetes/kubernetes-directory.ts';
import { eventually } from '../../support/eventually.ts';
import { type KubeApiServer, startKubeApi } from '../../support/kube-api-server.ts';
import { labelledObject, nodeName, podObject } from '../../support/kube-objects.ts';
import { follow } from './followed-directory.ts';

const cart = podObject({ name: 'cart-5d9c7b6f4-abcde', uid: 'uid-cart' });
const place = { podUid: 'uid-cart', containerName: 'web', restartCount: 0 };

const labelled = (version: string) =>
  podObject({ name: cart.metadata.name, uid: 'uid-cart', labels: { ...cart.metadata.labels, version } });
const versionOf = (directory: KubernetesDirectory) =>
  directory.find(place)?.attributes['k8s.pod.label.version'];

test('pods of this node are listed in pages and followed: added, modified, deleted', async () => {
  const server = await startKubeApi();
  server.pageObjects = 2;
  for (const index of [0, 1, 2, 3]) server.apply(podObject({ name: `p-${index}`, uid: `uid-${index}` }));
  server.apply(podObject({ name: 'elsewhere', uid: 'uid-elsewhere', node: 'kind-worker2' }));
  const { directory } = follow(server);
  await eventually(() => directory.isReady);
  expect(server.count('list', 'pods')).toBe(2);
  expect(server.requests[0]!.query.get('resourceVersion')).toBe('0');
  expect(server.requests[1]!.query.has('resourceVersion')).toBe(false);
  for (const index of [0, 1, 2, 3])
    expect(directory.find({ podUid: `uid-${index}`, containerName: 'web' })).toBeDefined();
  expect(directory.find({ podUid: 'uid-elsewhere', containerName: 'web' })).toBeUndefined();
  await eventually(() => server.watchers === 1);
  const { timeoutSeconds, ...query } = Object.fromEntries(server.requests[2]!.query);
  expect(query).toEqual({
    watch: '1',
    allowWatchBookmarks: 'true',
    fieldSelector: `spec.nodeName=${nodeName}`,
    resourceVersion: '1005',
  });
  expect(Number(timeoutSeconds)).toBeGreaterThanOrEqual(240);
  server.apply(cart);
  await eventually(() => directory.find(place));
  server.apply(labelled('2'));
  await eventually(() => versionOf(directory) === '2');
  server.delete(labelled('2'));
  server.apply(podObject({ name: 'last', uid: 'uid-last' }));
  await eventually(() => directory.find({ podUid: 'uid-last', containerName: 'web' }));
  expect(versionOf(directory), 'the last lines of a deleted pod are still read').toBe('2');
  expect(directory.problem()).toBe('');
  const asked = server.requests.length;
  for (let index = 0; index < 10_000; index += 1) directory.find(place);
  directory.all();
  expect(server.requests.length, 'a look-up asks nobody').toBe(asked);
});

const faults: [string, (server: KubeApiServer) => void | Promise<void>, { lists: number }][] = [
  ['the server ends the watch', (server) => server.dropWatches('end'), { lists: 1 }],
  ['the connection breaks', (server) => server.dropWatches('destroy'), { lists: 1 }],
  ['the connection breaks within a line', (server) => server.cutWatches(), { lists: 1 }],
  ['the version expires within the watch', (server) => server.expireWatches(), { lists: 2 }],
  [
    'the version has expired when the watch comes back: an event says so',
    (server) => {
      server.compact();
      return server.dropWatches('end');
    },
    { lists: 2 },
  ],
  [
    'the version has expired when the watch comes back: the status says so',
    (server) => {
      server.expiredBy = 'status';
      server.compact();
      return server.dropWatches('end');
    },
    { lists: 2 },
  ],
  [
    'the server answers 500 to the next watches',
    (server) => {
      server.fail('watch', 'pods', 500, 'etcdserver: leader changed', 3);
      return server.dropWatches('destroy');
    },
    { lists: 1 },
  ],
  [
    'the server is too busy',
    (server) => {
      server.fail('watch', 'pods', 429, 'too many requests', 2);
      return server.dropWatches('end');
    },
    { lists: 1 },
  ],
  [
    'the list after an expired version fails at first',
    (server) => {
      server.fail('list', 'pods', 500, 'etcdserver: request timed out', 2);
      return server.expireWatches();
    },
    { lists: 4 },
  ],
];

test.each(faults)('what changes meanwhile is known after: %s', async (_name, fault, { lists }) => {
  const server = await startKubeApi();
  const gone = podObject({ name: 'gone', uid: 'uid-gone' });
  server.apply(cart);
  server.apply(gone);
  let now = 0;
  const { directory } = follow(server, { now: () => now, keepDeletedMs: 1000, sweepIntervalMs: 20 });
  await eventually(() => directory.isReady && server.watchers === 1);
  const watches = server.count('watch', 'pods');
  await fault(server);
  // All while nobody watches.
  server.apply(labelled('2'));
  server.delete(gone);
  server.apply(podObject({ name: 'new', uid: 'uid-new' }));
  await eventually(() => versionOf(directory) === '2');
  await eventually(() => directory.find({ podUid: 'uid-new', containerName: 'web' }));
  await eventually(() => server.count('watch', 'pods') > watches && server.watchers === 1);
  server.apply(labelled('3'));
  await eventually(() => versionOf(directory) === '3');
  expect(directory.problem()).toBe('');
  expect(server.count('list', 'pods')).toBe(lists);
  // That the pod went away was noticed too: it is forgotten when its time is over, the others are not.
  expect(directory.find({ podUid: 'uid-gone', containerName: 'web' })).toBeDefined();
  now = 2000;
  await eventually(() => directory.find({ podUid: 'uid-gone', containerName: 'web' }) === undefined);
  expect(directory.size).toBe(2);
});

test('a watch that brought something goes on at once, and one that brought nothing waits', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const { directory } = follow(server, { retry: { msMin: 3_600_000, msMax: 3_600_000 } });
  await eventually(() => directory.isReady && server.watchers === 1);
  server.apply(labelled('2'));
  await eventually(() => versionOf(directory) === '2');
  await server.dropWatches('end');
  await eventually(() => server.watchers === 1);
  await server.dropWatches('end');
  // Long enough for the end to be seen: as many answers come over the same loop of events.
  for (let round = 0; round < 50; round += 1) {
    await getJson(server.endpoint, '/api/v1/nodes', new AbortController().signal);
  }
  expect(server.count('watch', 'pods')).toBe(2);
});

test('a bookmark moves the version on, so that a watch after it need not list', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const { directory } = follow(server);
  await eventually(() => directory.isReady && server.watchers === 1);
  server.compact();
  server.bookmark();
  await server.dropWatches('end');
  server.apply(labelled('2'));
  await eventually(() => versionOf(directory) === '2');
  expect(server.count('list', 'pods')).toBe(1);
});

test('pages that expire are listed again from the start', async () => {
  const server = await startKubeApi();
  server.pageObjects = 1;
  server.apply(cart);
  server.apply(podObject({ name: 'b', uid: 'uid-b' }));
  server.fail('list', 'pods', 410, 'The provided continue parameter is too old');
  const { directory } = follow(server);
  await eventually(() => directory.isReady);
  expect(directory.size).toBe(2);
  expect(server.requests[1]!.query.has('resourceVersion'), 'the newest is asked for').toBe(false);
});

test('a list that is forbidden says which rule is missing, and is tried again', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const message =
    'pods is forbidden: User "system:serviceaccount:sonde:sonde-agent" cannot list resource "pods"';
  server.fail('list', 'pods', 403, message, 3);
  const { directory, warnings } = follow(server);
  await eventually(() => directory.problem() !== '' || directory.isReady);
  expect(directory.problem()).toBe(
    `Kubernetes pods: status 403: ${message}; the agent's ClusterRole needs { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] }`,
  );
  await eventually(() => directory.isReady);
  expect(directory.problem()).toBe('');
  expect(warnings.filter((line) => line.includes('ClusterRole'))).toHaveLength(1);
});

test('a token that is refused is a problem until it is right', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const { endpoint } = server;
  server.token = 'new';
  let token = 'old';
  const { directory } = follow(server, {
    endpoint: {
      ...endpoint,
      requestOptions: async () => ({
        ...(await endpoint.requestOptions()),
        headers: { authorization: `Bearer ${token}` },
      }),
    },
  });
  await eventually(() => directory.problem() === 'Kubernetes pods: status 401: Unauthorized');
  token = 'new';
  await eventually(() => directory.isReady && directory.problem() === '');
});

test('labels of namespaces and of the node are taken where they are wanted, and forbidding them is said once', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  server.apply(labelledObject('Namespace', 'shop', { team: 'checkout', secret: 'x' }));
  server.apply(labelledObject('Node', nodeName, { 'topology.kubernetes.io/zone': 'eu-1a' }));
  const { directory } = follow(server, { namespaceLabels: ['team'], nodeLabels: ['topology.*'] });
  const attributes = await eventually(() => {
    const found = directory.find(place)?.attributes;
    return found?.['k8s.namespace.label.team'] && found['k8s.node.label.topology.kubernetes.io/zone']
      ? found
      : undefined;
  });
  expect(attributes).toMatchObject({
    'k8s.namespace.label.team': 'checkout',
    'k8s.node.label.topology.kubernetes.io/zone': 'eu-1a',
  });
  expect(attributes).not.toHaveProperty('k8s.namespace.label.secret');
  server.apply(labelledObject('Namespace', 'shop', { team: 'payment' }));
  await eventually(() => directory.find(place)?.attributes['k8s.namespace.label.team'] === 'payment');

  const strict = await startKubeApi();
  strict.apply(cart);
  strict.fail('list', 'namespaces', 403, 'namespaces is forbidden', 1000);
  const forbidden = follow(strict, { namespaceLabels: ['*'] });
  await eventually(() => forbidden.directory.isReady && forbidden.warnings.length > 0);
  expect(forbidden.warnings).toHaveLength(1);
  expect(JSON.parse(forbidden.warnings[0]!)).toMatchObject({
    resource: 'namespaces',
    rule: '{ apiGroups: [""], resources: ["namespaces"], verbs: ["list", "watch"] }',
  });
  expect(forbidden.directory.problem()).toBe('');
});

test('many changes at once are one call of a listener, and one that matters to nobody is none', async () => {
  const server = await startKubeApi();
  server.pieceBytes = 10_000;
  server.apply(cart);
  const { directory, changes } = follow(server, { changeQuietMs: 300 });
  await eventually(() => directory.isReady && server.watchers === 1);
  await eventually(() => changes() === 1);
  for (let index = 0; index < 30; index += 1)
    server.apply(podObject({ name: `p-${index}`, uid: `uid-${index}` }));
  await eventually(() => directory.size === 31);
  await eventually(() => changes() >= 2);
  expect(changes()).toBe(2);
  // A condition changes with each probe: the facts are the same.
  server.apply({ ...cart, status: { ...cart.status, phase: 'Succeeded' } });
  server.apply(podObject({ name: 'marker', uid: 'uid-marker' }));
  await eventually(() => changes() === 3);
  expect(directory.find({ podUid: 'uid-marker', containerName: 'web' })).toBeDefined();
});

test('a node without pods is a wrong name', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const { directory } = follow(server, { node: 'kind-wroker' });
  await eventually(() => directory.isReady);
  expect(directory.problem()).toBe(
    'Kubernetes has no pods on a node "kind-wroker": is agent.kubernetes.node right?',
  );
});

test('an object that is none leaves the others known, and is said once', async () => {
  const server = await startKubeApi();
  server.apply(cart);
  const broken = podObject({ name: 'broken', uid: 'uid-broken' });
  server.apply({ ...broken, status: { ...broken.status, containerStatuses: 'none' } });
  const { directory, warnings } = follow(server);
  await eventually(() => directory.isReady);
  expect(directory.find(place)).toBeDefined();
  expect(directory.problem()).toBe('Kubernetes sent 1 objects that are not as expected: they were left out');
  expect(JSON.parse(warnings[0]!).reason).toContain('a pod is not as expected: status.containerStatuses');
});
