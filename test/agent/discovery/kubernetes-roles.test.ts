/**
 * Goal: objects of each role become targets with Prometheus's labels.
 * Method: objects as the API returns them, behind a real HTTP server; a group of each role in full.
 */
import { expect, test } from 'vitest';
import type { KubernetesDiscoveryOptions } from '#agent/discovery/kubernetes/kubernetes-discovery.ts';
import { eventually } from '../../support/eventually.ts';
import { type StoredObject, startKubeApi } from '../../support/kube-api-server.ts';
import { follow, pod } from './follow-cluster.ts';

test('a pod has a target for each port, and for each container without one, with its labels', async () => {
  const api = await startKubeApi();
  api.apply(pod('web-1'), 'pods');
  const { groups } = follow(api);
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

test('a slice has its service, its pods and the nodes and namespaces that are attached', async () => {
  const api = await startKubeApi();
  api.apply(pod('web-1'), 'pods');
  api.apply({ metadata: { name: 'web', namespace: 'shop', labels: { tier: 'front' } } }, 'services');
  api.apply({ metadata: { name: 'node-1', labels: { zone: 'z1' } } }, 'nodes');
  api.apply({ metadata: { name: 'shop', labels: { team: 'blue' } } }, 'namespaces');
  api.apply(
    {
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
    },
    'endpointslices',
  );
  const { groups } = follow(api, {
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
  await eventually(() => api.watchers === 5);
  api.apply({ metadata: { name: 'web', namespace: 'shop', labels: { tier: 'back' } } }, 'services');
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
  const api = await startKubeApi();
  api.apply(object, plural);
  const { groups } = follow(api, { role });
  const [group] = await eventually(groups);
  expect(group).toMatchObject({ targets, labels });
});
