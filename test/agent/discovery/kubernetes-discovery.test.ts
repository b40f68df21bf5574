/**
 * Goal: targets follow the objects of a cluster, with Prometheus's labels, whatever happens to lists and watches.
 * Method: a real HTTP server that speaks the API's lists and watches in small pieces, with every failure it has.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kubeConnection } from '#agent/discovery/kubernetes/kube-connection.ts';
import {
  type KubernetesDiscoveryOptions,
  kubernetesDiscovery,
} from '#agent/discovery/kubernetes/kubernetes-discovery.ts';
import type { Discovery, TargetGroup } from '#agent/discovery/target-group.ts';
import { eventually } from '../../support/eventually.ts';
import { KubeApi, type StoredObject } from '../../support/sd-kube-api.ts';

const client = { isFollowingRedirects: true };

function pod(name: string, more: { node?: string; namespace?: string; ip?: string } = {}): StoredObject {
  const { node = 'node-1', namespace = 'shop', ip = '10.0.0.7' } = more;
  return {
    metadata: {
      name,
      namespace,
      labels: { app: 'web', 'app.kubernetes.io/name': 'wéb' },
      annotations: { 'prometheus.io/scrape': 'true' },
      uid: `uid-${name}`,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d', uid: 'u', controller: true },
      ],
      managedFields: [{ manager: 'kubelet' }],
    } as StoredObject['metadata'],
    spec: {
      nodeName: node,
      containers: [
        { name: 'app', image: 'web:1', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] },
        { name: 'side', image: 'side:1' },
      ],
      initContainers: [{ name: 'init', image: 'init:1' }],
    },
    status: {
      podIP: ip,
      hostIP: '192.168.0.1',
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'app', containerID: 'containerd://abc' }],
    },
  };
}

async function follow(
  api: KubeApi,
  options: Partial<KubernetesDiscoveryOptions> = {},
): Promise<{
  groups: () => readonly TargetGroup[] | undefined;
  discovery: Discovery;
  sources: () => string;
}> {
  const apiServer = await api.start();
  let groups: readonly TargetGroup[] | undefined;
  const discovery = kubernetesDiscovery({
    role: 'pod',
    connection: kubeConnection({ apiServer, client, environment: {} }),
    namespaces: [],
    includesOwnNamespace: false,
    selectors: [],
    attachesNode: false,
    attachesNamespace: false,
    coalesceMs: 1,
    backoffMs: 5,
    ...options,
  })((found) => {
    groups = found;
  });
  onTestFinished(async () => {
    await discovery.stop();
    await api[Symbol.asyncDispose]();
  });
  return {
    groups: () => groups,
    discovery,
    sources: () =>
      (groups ?? [])
        .map(({ source }) => source)
        .sort()
        .join(' '),
  };
}

test('a pod has a target for each port, and for each container without one, with its labels', async () => {
  const api = new KubeApi();
  api.put('pods', pod('web-1'));
  const { groups } = await follow(api);
  const [group] = await eventually(groups);
  expect(group).toEqual({
    source: 'pod/shop/web-1',
    targets: [
      {
        __address__: '10.0.0.7:8080',
        __meta_kubernetes_pod_container_id: 'containerd://abc',
        __meta_kubernetes_pod_container_image: 'web:1',
        __meta_kubernetes_pod_container_init: 'false',
        __meta_kubernetes_pod_container_name: 'app',
        __meta_kubernetes_pod_container_port_name: 'http',
        __meta_kubernetes_pod_container_port_number: '8080',
        __meta_kubernetes_pod_container_port_protocol: 'TCP',
      },
      {
        __address__: '10.0.0.7',
        __meta_kubernetes_pod_container_id: '',
        __meta_kubernetes_pod_container_image: 'side:1',
        __meta_kubernetes_pod_container_init: 'false',
        __meta_kubernetes_pod_container_name: 'side',
      },
      {
        __address__: '10.0.0.7',
        __meta_kubernetes_pod_container_id: '',
        __meta_kubernetes_pod_container_image: 'init:1',
        __meta_kubernetes_pod_container_init: 'true',
        __meta_kubernetes_pod_container_name: 'init',
      },
    ],
    labels: {
      __meta_kubernetes_namespace: 'shop',
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
      __meta_kubernetes_pod_annotationpresent_prometheus_io_scrape: 'true',
      __meta_kubernetes_pod_controller_kind: 'ReplicaSet',
      __meta_kubernetes_pod_controller_name: 'web-5d',
      __meta_kubernetes_pod_host_ip: '192.168.0.1',
      __meta_kubernetes_pod_ip: '10.0.0.7',
      __meta_kubernetes_pod_label_app: 'web',
      __meta_kubernetes_pod_label_app_kubernetes_io_name: 'wéb',
      __meta_kubernetes_pod_labelpresent_app: 'true',
      __meta_kubernetes_pod_labelpresent_app_kubernetes_io_name: 'true',
      __meta_kubernetes_pod_name: 'web-1',
      __meta_kubernetes_pod_node_name: 'node-1',
      __meta_kubernetes_pod_phase: 'Running',
      __meta_kubernetes_pod_ready: 'true',
      __meta_kubernetes_pod_uid: 'uid-web-1',
    },
  });
});

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
  for (const connection of [
    kubeConnection({ kubeconfigFile, client, environment: {} }),
    kubeConnection({
      apiServer: server,
      client: { ...client, authorization: { type: 'Bearer', credentialsFile: token } },
      environment: {},
    }),
  ]) {
    const response = await connection.get('/api/v1/pods', AbortSignal.timeout(5000));
    response.resume();
    expect(response.statusCode).toBe(200);
  }
  expect([...api.authorizations].sort()).toEqual(['Bearer from-a-file', 'Bearer from-kubeconfig']);
  expect(sources()).toBe('');
});

test('a slice has its service, its pods and the nodes and namespaces that are attached', async () => {
  const api = new KubeApi();
  api.put('pods', pod('web-1'));
  api.put('services', { metadata: { name: 'web', namespace: 'shop', labels: { tier: 'front' } } });
  api.put('nodes', { metadata: { name: 'node-1', labels: { zone: 'z1' } } });
  api.put('namespaces', { metadata: { name: 'shop', labels: { team: 'blue' } } });
  api.put('endpointslices', {
    metadata: { name: 'web-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'metrics', port: 9090, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: ['10.0.0.7'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node-1',
        zone: 'z1',
        targetRef: { kind: 'Pod', name: 'web-1', namespace: 'shop' },
      },
    ],
  });
  const { groups } = await follow(api, {
    role: 'endpointslice',
    attachesNode: true,
    attachesNamespace: true,
  });
  const [group] = await eventually(groups);
  expect(group?.targets.map(({ __address__ }) => __address__)).toEqual(['10.0.0.7:9090', '10.0.0.7:8080']);
  expect(group?.targets[0]).toMatchObject({
    __meta_kubernetes_endpointslice_port: '9090',
    __meta_kubernetes_endpointslice_port_name: 'metrics',
    __meta_kubernetes_endpointslice_endpoint_conditions_ready: 'true',
    __meta_kubernetes_endpointslice_endpoint_zone: 'z1',
    __meta_kubernetes_endpointslice_address_target_name: 'web-1',
    __meta_kubernetes_pod_name: 'web-1',
    __meta_kubernetes_node_label_zone: 'z1',
  });
  expect(group?.targets[1]).toMatchObject({ __meta_kubernetes_pod_container_port_name: 'http' });
  expect(group?.labels).toMatchObject({
    __meta_kubernetes_service_name: 'web',
    __meta_kubernetes_service_label_tier: 'front',
    __meta_kubernetes_endpointslice_name: 'web-x',
    __meta_kubernetes_endpointslice_address_type: 'IPv4',
    __meta_kubernetes_namespace_label_team: 'blue',
  });
  // A neighbour that changes makes the group anew.
  await eventually(() => api.watching === 5);
  api.put('services', { metadata: { name: 'web', namespace: 'shop', labels: { tier: 'back' } } });
  await eventually(() => groups()?.[0]?.labels.__meta_kubernetes_service_label_tier === 'back');
});

test.each<
  [KubernetesDiscoveryOptions['role'], string, StoredObject, Record<string, string>[], Record<string, string>]
>([
  [
    'service',
    'services',
    {
      metadata: { name: 'db', namespace: 'shop' },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.1.0.1',
        loadBalancerIP: '1.2.3.4',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
      },
    },
    [
      {
        __address__: 'db.shop.svc:5432',
        __meta_kubernetes_service_port_name: 'pg',
        __meta_kubernetes_service_port_number: '5432',
        __meta_kubernetes_service_port_protocol: 'TCP',
        __meta_kubernetes_service_type: 'LoadBalancer',
        __meta_kubernetes_service_cluster_ip: '10.1.0.1',
        __meta_kubernetes_service_loadbalancer_ip: '1.2.3.4',
      },
    ],
    { __meta_kubernetes_namespace: 'shop', __meta_kubernetes_service_name: 'db' },
  ],
  [
    'node',
    'nodes',
    {
      metadata: { name: 'node-1', labels: { arch: 'arm64' } },
      spec: { providerID: 'aws:///i-1' },
      status: {
        addresses: [
          { type: 'Hostname', address: 'node-1.test' },
          { type: 'InternalIP', address: '192.168.0.1' },
        ],
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      },
    },
    [
      {
        __address__: '192.168.0.1:10250',
        instance: 'node-1',
        __meta_kubernetes_node_address_Hostname: 'node-1.test',
        __meta_kubernetes_node_address_InternalIP: '192.168.0.1',
      },
    ],
    {
      __meta_kubernetes_node_name: 'node-1',
      __meta_kubernetes_node_provider_id: 'aws:///i-1',
      __meta_kubernetes_node_label_arch: 'arm64',
      __meta_kubernetes_node_labelpresent_arch: 'true',
    },
  ],
  [
    'ingress',
    'ingresses',
    {
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        ingressClassName: 'nginx',
        tls: [{ hosts: ['*.shop.test'] }],
        rules: [{ host: 'a.shop.test', http: { paths: [{ path: '/x' }, {}] } }, { host: 'shop.test' }],
      },
    },
    [
      ['a.shop.test', 'https', '/x'],
      ['a.shop.test', 'https', '/'],
      ['shop.test', 'http', '/'],
    ].map(([host = '', scheme = '', path = '']) => ({
      __address__: host,
      __meta_kubernetes_ingress_scheme: scheme,
      __meta_kubernetes_ingress_host: host,
      __meta_kubernetes_ingress_path: path,
    })),
    {
      __meta_kubernetes_namespace: 'shop',
      __meta_kubernetes_ingress_name: 'web',
      __meta_kubernetes_ingress_class_name: 'nginx',
    },
  ],
  [
    'endpoints',
    'endpoints',
    {
      metadata: { name: 'web', namespace: 'shop' },
      subsets: [
        {
          addresses: [
            {
              ip: '10.0.0.7',
              nodeName: 'node-1',
              targetRef: { kind: 'Pod', name: 'gone', namespace: 'shop' },
            },
          ],
          notReadyAddresses: [{ ip: 'fd00::8', hostname: 'h' }],
          ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
        },
      ],
    },
    [
      {
        __address__: '10.0.0.7:80',
        __meta_kubernetes_endpoint_address_target_kind: 'Pod',
        __meta_kubernetes_endpoint_address_target_name: 'gone',
        __meta_kubernetes_endpoint_node_name: 'node-1',
        __meta_kubernetes_endpoint_port_name: 'http',
        __meta_kubernetes_endpoint_port_protocol: 'TCP',
        __meta_kubernetes_endpoint_ready: 'true',
      },
      {
        __address__: '[fd00::8]:80',
        __meta_kubernetes_endpoint_hostname: 'h',
        __meta_kubernetes_endpoint_port_name: 'http',
        __meta_kubernetes_endpoint_port_protocol: 'TCP',
        __meta_kubernetes_endpoint_ready: 'false',
      },
    ],
    { __meta_kubernetes_namespace: 'shop', __meta_kubernetes_endpoints_name: 'web' },
  ],
])('role %s', async (role, plural, object, targets, labels) => {
  const api = new KubeApi();
  api.put(plural, object);
  const { groups } = await follow(api, { role });
  const [group] = await eventually(groups);
  expect(group).toMatchObject({ targets, labels });
});
