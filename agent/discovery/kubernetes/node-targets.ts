/**
 * Nodes and ingresses as targets (kubernetes_sd, roles node and ingress).
 *
 *   node node-1 with kubelet port 10250  ->  { __address__: '10.0.0.1:10250', instance: 'node-1', ... }
 */
import type { V1Ingress, V1Node } from '@kubernetes/client-node';
import { hostPort, sanitizeLabelName } from '../label-name.ts';
import type { TargetGroup } from '../target-group.ts';
import { type AttachedMetadata, attachedNamespaceLabels, objectLabels } from './object-labels.ts';

/** The first that a node has is scraped. */
const addressTypes = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname'];

/** A node without any address has no target. */
export function nodeGroup(node: V1Node): TargetGroup {
  const name = node.metadata?.name ?? '';
  const addresses = new Map<string, string>();
  for (const { type, address } of node.status?.addresses ?? []) {
    if (!addresses.has(type)) addresses.set(type, address);
  }
  const type = addressTypes.find((candidate) => addresses.has(candidate));
  const address = type === undefined ? undefined : addresses.get(type);
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  const target = (host: string): Record<string, string> => ({
    __address__: hostPort(host, port),
    instance: name,
    ...Object.fromEntries(
      [...addresses].map(([kind, value]) => [
        `__meta_kubernetes_node_address_${sanitizeLabelName(kind)}`,
        value,
      ]),
    ),
  });
  return {
    source: `node/${name}`,
    targets: address === undefined ? [] : [target(address)],
    labels: {
      __meta_kubernetes_node_provider_id: node.spec?.providerID ?? '',
      ...objectLabels('node', node.metadata),
    },
  };
}

export function ingressGroup(ingress: V1Ingress, attached: AttachedMetadata): TargetGroup {
  const { namespace = '', name = '' } = ingress.metadata ?? {};
  const tlsHosts = (ingress.spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []);
  return {
    source: `ingress/${namespace}/${name}`,
    targets: (ingress.spec?.rules ?? []).flatMap((rule) => {
      const host = rule.host ?? '';
      const isTls = tlsHosts.some((pattern) => matchesHost(pattern, host));
      const paths = rule.http === undefined ? ['/'] : rule.http.paths.map(({ path }) => path || '/');
      return paths.map((path) => ({
        __address__: host,
        __meta_kubernetes_ingress_scheme: isTls ? 'https' : 'http',
        __meta_kubernetes_ingress_host: host,
        __meta_kubernetes_ingress_path: path,
      }));
    }),
    labels: {
      __meta_kubernetes_namespace: namespace,
      ...(ingress.spec?.ingressClassName !== undefined && {
        __meta_kubernetes_ingress_class_name: ingress.spec.ingressClassName,
      }),
      ...objectLabels('ingress', ingress.metadata),
      ...attachedNamespaceLabels(attached, namespace),
    },
  };
}

/** `*.shop.test` stands for one label: a.shop.test, not a.b.shop.test. */
function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const [first, ...rest] = pattern.split('.');
  const [label, ...hostRest] = host.split('.');
  return first === '*' && label !== '' && rest.join('.') === hostRest.join('.');
}
