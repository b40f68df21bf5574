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
import { KubeApi } from '../../support/sd-kube-api.ts';
import { client, follow, pod } from './follow-cluster.ts';

test('a list of several pages, then additions, changes and deletions', async () => {
  const api = new KubeApi();
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.put('pods', pod(name));
  const { sources, groups } = await follow(api);
  await eventually(() => sources() === 'pod/shop/a pod/shop/b pod/shop/c pod/shop/d pod/shop/e');
  await eventually(() => api.watching === 1);
  const kept = groups()?.find(({ source }) => source === 'pod/shop/a');
  api.put('pods', pod('f'));
  api.put('pods', pod('b', { ip: '' }));
  api.remove('pods', 'shop', 'c');
  await eventually(() => sources() === 'pod/shop/a pod/shop/b pod/shop/d pod/shop/e pod/shop/f');
  await eventually(() => groups()?.find(({ source }) => source === 'pod/shop/b')?.targets.length === 0);
  expect(groups()?.find(({ source }) => source === 'pod/shop/a')).toBe(kept);
});

test('a broken watch goes on where it was, without a new list', async () => {
  const api = new KubeApi();
  api.put('pods', pod('a'));
  const { sources, discovery } = await follow(api);
  await eventually(() => api.watching === 1);
  api.bookmark();
  api.breakWatches();
  api.put('pods', pod('b'));
  await eventually(() => sources() === 'pod/shop/a pod/shop/b');
  await eventually(() => api.watching === 1);
  api.endWatches();
  api.remove('pods', 'shop', 'a');
  await eventually(() => sources() === 'pod/shop/b');
  expect(api.requests.filter((request) => request.startsWith('LIST'))).toHaveLength(1);
  await eventually(() => discovery.problem() === '');
});

test.each([true, false])(
  'a version that is gone is listed anew (told in the stream: %s)',
  async (inStream) => {
    const api = new KubeApi();
    api.put('pods', pod('a'));
    const { sources } = await follow(api);
    await eventually(() => api.watching === 1);
    const lists = (): number => api.requests.filter((request) => request.startsWith('LIST')).length;
    api.remove('pods', 'shop', 'a');
    api.put('pods', pod('b'));
    api.expire(inStream);
    if (!inStream) api.breakWatches();
    await eventually(() => sources() === 'pod/shop/b' && lists() === 2);
  },
);

test('a refusal is told with its reason, and mended later', async () => {
  const api = new KubeApi();
  api.put('pods', pod('a'));
  api.status = 403;
  const { discovery, groups, sources } = await follow(api);
  const problem = await eventually(() => discovery.problem() || undefined);
  expect(problem).toBe('/api/v1/pods: the API server answered 403: /api/v1/pods is forbidden');
  expect(groups()).toBeUndefined();
  api.status = 200;
  await eventually(() => sources() === 'pod/shop/a');
  await eventually(() => discovery.problem() === '');
});

test('an object that is not as the API has it is told, and the others have their targets', async () => {
  const api = new KubeApi();
  api.put('pods', pod('a'));
  api.put('pods', { metadata: { name: 'odd', namespace: 'shop' }, spec: {}, status: { podIP: 7 } });
  const { discovery, sources } = await follow(api);
  await eventually(() => sources() === 'pod/shop/a');
  expect(discovery.problem()).toBe('pod shop/odd: the value of __meta_kubernetes_pod_ip is no text');
});

test('namespaces and selectors reach the server', async () => {
  const api = new KubeApi();
  api.put('pods', pod('a'));
  api.put('pods', pod('b', { node: 'node-2' }));
  api.put('pods', pod('c', { namespace: 'other' }));
  api.put('pods', pod('d', { namespace: 'third' }));
  const { sources } = await follow(api, {
    namespaces: ['shop', 'other'],
    selectors: [{ role: 'pod', label: 'app=web', field: 'spec.nodeName=node-1' }],
  });
  await eventually(() => sources() === 'pod/other/c pod/shop/a');
  expect(api.requests).toContain('LIST /api/v1/namespaces/shop/pods');
});

test('a kubeconfig and an API server with credentials authenticate', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-kubeconfig-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const api = new KubeApi();
  api.put('pods', pod('a'));
  const { sources, discovery } = await follow(api, { namespaces: ['none'] });
  const server = await eventually(() => (api.watching === 1 ? api.url : undefined));
  await discovery.stop();
  const kubeconfigFile = join(directory, 'config');
  const token = join(directory, 'token');
  await writeFile(token, 'from-a-file\n');
  await writeFile(
    kubeconfigFile,
    `{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: k, cluster: {server: '${server}', insecure-skip-tls-verify: true}}],
      contexts: [{name: c, context: {cluster: k, user: u}}], users: [{name: u, user: {token: from-kubeconfig}}]}`,
  );
  for (const endpoint of [
    kubeEndpoint({ kubeconfigFile, client, environment: {} }),
    kubeEndpoint({
      apiServer: server,
      client: { ...client, authorization: { type: 'Bearer', credentialsFile: token } },
      environment: {},
    }),
  ]) {
    const { body } = await getJson(endpoint, '/api/v1/pods', AbortSignal.timeout(5000));
    expect(body).toHaveProperty('items');
  }
  expect([...api.authorizations].sort()).toEqual(['Bearer from-a-file', 'Bearer from-kubeconfig']);
  expect(sources()).toBe('');
});
