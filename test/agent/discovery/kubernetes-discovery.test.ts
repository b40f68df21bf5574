/**
 * Goal: targets follow the objects of a cluster, whatever happens to lists and watches.
 * Method: a real HTTP server that speaks the API's lists and watches in small pieces, with every failure it has.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { getJson } from '#agent/containers/json-http.ts';
import { kubeEndpoint } from '#agent/discovery/kubernetes/kube-endpoint.ts';
import { eventually } from '../../support/eventually.ts';
import { startKubeApi } from '../../support/kube-api-server.ts';
import { follow as followDirectory } from '../kubernetes/followed-directory.ts';
import { client, follow, pod } from './follow-cluster.ts';

test('a list of several pages, then additions, changes and deletions', async () => {
  const api = await startKubeApi();
  api.pageObjects = 2;
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.apply(pod(name), 'pods');
  const { sources, groups } = follow(api);
  await eventually(() => sources() === 'pod/shop/a pod/shop/b pod/shop/c pod/shop/d pod/shop/e');
  await eventually(() => api.watchers === 1);
  const kept = groups()?.find(({ source }) => source === 'pod/shop/a');
  api.apply(pod('f'), 'pods');
  api.apply(pod('b', { ip: '' }), 'pods');
  api.delete(pod('c'), 'pods');
  await eventually(() => sources() === 'pod/shop/a pod/shop/b pod/shop/d pod/shop/e pod/shop/f');
  await eventually(() => groups()?.find(({ source }) => source === 'pod/shop/b')?.targets.length === 0);
  expect(groups()?.find(({ source }) => source === 'pod/shop/a')).toBe(kept);
});

test('a broken watch goes on where it was, without a new list', async () => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  const { sources, discovery } = follow(api);
  await eventually(() => api.watchers === 1);
  api.bookmark();
  await api.cutWatches();
  api.apply(pod('b'), 'pods');
  await eventually(() => sources() === 'pod/shop/a pod/shop/b');
  await eventually(() => api.watchers === 1);
  await api.dropWatches('end');
  api.delete(pod('a'), 'pods');
  await eventually(() => sources() === 'pod/shop/b');
  expect(api.count('list', 'pods')).toBe(1);
  await eventually(() => discovery.problem() === '');
});

test.each([true, false])(
  'a version that is gone is listed anew (told in the stream: %s)',
  async (inStream) => {
    const api = await startKubeApi();
    api.apply(pod('a'), 'pods');
    const { sources } = follow(api);
    await eventually(() => api.watchers === 1);
    api.delete(pod('a'), 'pods');
    api.apply(pod('b'), 'pods');
    if (inStream) await api.expireWatches();
    else {
      api.expiredBy = 'status';
      api.compact();
      await api.cutWatches();
    }
    await eventually(() => sources() === 'pod/shop/b' && api.count('list', 'pods') === 2);
  },
);

test('a refusal is told with its reason, and mended later', async () => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  api.fail('list', 'pods', 403, '/api/v1/pods is forbidden', Number.POSITIVE_INFINITY);
  const { discovery, groups, sources } = follow(api);
  const problem = await eventually(() => discovery.problem() || undefined);
  expect(problem).toBe('/api/v1/pods: the API server answered 403: /api/v1/pods is forbidden');
  expect(groups()).toBeUndefined();
  api.heal();
  await eventually(() => sources() === 'pod/shop/a');
  await eventually(() => discovery.problem() === '');
});

test('an object that is not as the API has it is told, and the others have their targets', async () => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  api.apply({ metadata: { name: 'odd', namespace: 'shop' }, spec: {}, status: { podIP: 7 } }, 'pods');
  const { discovery, sources } = follow(api);
  await eventually(() => sources() === 'pod/shop/a');
  expect(discovery.problem()).toBe('pod shop/odd: the value of __meta_kubernetes_pod_ip is no text');
});

test('namespaces and selectors reach the server', async () => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  api.apply(pod('b', { node: 'node-2' }), 'pods');
  api.apply(pod('c', { namespace: 'other' }), 'pods');
  api.apply(pod('d', { namespace: 'third' }), 'pods');
  const { sources } = follow(api, {
    namespaces: ['shop', 'other'],
    selectors: [{ role: 'pod', label: 'app=web', field: 'spec.nodeName=node-1' }],
  });
  await eventually(() => sources() === 'pod/other/c pod/shop/a');
  expect(api.requests.map(({ path }) => path)).toContain('/api/v1/namespaces/shop/pods');
});

test('a kubeconfig and an API server with credentials authenticate', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-kubeconfig-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  const kubeconfigFile = join(directory, 'config');
  const token = join(directory, 'token');
  await writeFile(token, 'from-a-file\n');
  await writeFile(
    kubeconfigFile,
    `{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: k, cluster: {server: '${api.url}', insecure-skip-tls-verify: true}}],
      contexts: [{name: c, context: {cluster: k, user: u}}], users: [{name: u, user: {token: from-kubeconfig}}]}`,
  );
  for (const endpoint of [
    kubeEndpoint({ kubeconfigFile, client, environment: {} }),
    kubeEndpoint({
      apiServer: api.url,
      client: { ...client, authorization: { type: 'Bearer', credentialsFile: token } },
      environment: {},
    }),
  ]) {
    const { body } = await getJson(endpoint, '/api/v1/pods', AbortSignal.timeout(5000));
    expect(body).toHaveProperty('items');
  }
  expect(api.requests.flatMap(({ authorization = [] }) => authorization).sort()).toEqual([
    'Bearer from-a-file',
    'Bearer from-kubeconfig',
  ]);
});

test('pods of this node that somebody watches already cost one list, and no watch of their own', async () => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  const directory = followDirectory(api, { node: 'node-1' }).directory;
  await eventually(() => directory.isReady && api.watchers === 1);
  const selectors = [{ role: 'pod' as const, label: '', field: 'spec.nodeName=node-1' }];
  api.fail('list', 'pods', 500, 'the list that was asked for fails at first');
  const { sources, groups, discovery } = follow(api, { selectors, nodePods: directory.nodePods });
  await eventually(() => sources() === 'pod/shop/a');
  await eventually(() => api.watchers === 1);
  expect(api.count('list', 'pods'), 'one for each that follows, and the one that failed').toBe(3);
  api.apply(pod('b'), 'pods');
  api.apply(pod('a', { ip: '' }), 'pods');
  await eventually(() => sources() === 'pod/shop/a pod/shop/b');
  await eventually(() => groups()?.find(({ source }) => source === 'pod/shop/a')?.targets.length === 0);
  api.delete(pod('b'), 'pods');
  await eventually(() => sources() === 'pod/shop/a');
  // What both missed, and a version that is gone.
  api.apply(pod('c'), 'pods');
  api.compact();
  await api.expireWatches();
  await eventually(() => sources() === 'pod/shop/a pod/shop/c');
  expect(api.watchers).toBeLessThanOrEqual(1);
  expect(discovery.problem()).toBe('');
  await discovery.stop();
  api.apply(pod('d'), 'pods');
  await eventually(() => directory.size === 4);
  expect(sources(), 'who has stopped is told nothing').toBe('pod/shop/a pod/shop/c');
});

test.each([
  ['another node', { selectors: [{ role: 'pod' as const, label: '', field: 'spec.nodeName=other' }] }],
  ['fewer pods', { selectors: [{ role: 'pod' as const, label: 'app=x', field: 'spec.nodeName=node-1' }] }],
  ['all pods', { selectors: [] }],
  ['one namespace', { namespaces: ['shop'] }],
])('%s are not those of this node, and are watched', async (_what, options) => {
  const api = await startKubeApi();
  api.apply(pod('a'), 'pods');
  const { directory } = followDirectory(api, { node: 'node-1' });
  follow(api, { selectors: [], nodePods: directory.nodePods, ...options });
  await eventually(() => api.watchers === 2);
});
