/** A discovery that follows a test API server, and a pod as the API returns one. */
import { onTestFinished } from 'vitest';
import { kubeEndpoint } from '#agent/discovery/kubernetes/kube-endpoint.ts';
import {
  type KubernetesDiscoveryOptions,
  kubernetesDiscovery,
} from '#agent/discovery/kubernetes/kubernetes-discovery.ts';
import type { Discovery, TargetGroup } from '#agent/discovery/target-group.ts';
import type { KubeApiServer, StoredObject } from '../../support/kube-api-server.ts';

export const client = { isFollowingRedirects: true };

export function pod(
  name: string,
  more: { node?: string; namespace?: string; ip?: string } = {},
): StoredObject {
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
    },
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

export function follow(
  api: KubeApiServer,
  options: Partial<KubernetesDiscoveryOptions> = {},
): {
  groups: () => readonly TargetGroup[] | undefined;
  discovery: Discovery;
  sources: () => string;
} {
  let groups: readonly TargetGroup[] | undefined;
  const discovery = kubernetesDiscovery({
    role: 'pod',
    endpoint: kubeEndpoint({ apiServer: api.url, client, environment: {} }),
    namespaces: [],
    includesOwnNamespace: false,
    selectors: [],
    attachesNode: false,
    attachesNamespace: false,
    coalesceMs: 1,
    retry: { msMin: 5, msMax: 20 },
    ...options,
  })((found) => {
    groups = found;
  });
  onTestFinished(() => discovery.stop());
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
