/**
 * Labels that every kind of object has (Prometheus, kubernetes_sd): its name, labels and annotations.
 *
 *   pod web with label app=shop  ->  __meta_kubernetes_pod_name, __meta_kubernetes_pod_label_app, ..._labelpresent_app
 */
import type { V1Namespace, V1Node, V1ObjectMeta } from '@kubernetes/client-node';
import { sanitizeLabelName } from '../label-name.ts';

export type Target = Record<string, string>;

/** The kinds, as they are written in label names. */
export type LabelKind = 'pod' | 'service' | 'endpoints' | 'endpointslice' | 'node' | 'ingress' | 'namespace';

export function objectLabels(kind: LabelKind, metadata: V1ObjectMeta | undefined): Target {
  return { [`__meta_kubernetes_${kind}_name`]: metadata?.name ?? '', ...mapLabels(kind, metadata) };
}

/** Labels and annotations, each with a second label that says that it is there, as values may be empty. */
function mapLabels(kind: LabelKind, metadata: V1ObjectMeta | undefined): Target {
  const labels: Target = {};
  for (const [what, map] of [
    ['label', metadata?.labels],
    ['annotation', metadata?.annotations],
  ] as const) {
    for (const [key, value] of Object.entries(map ?? {})) {
      const name = sanitizeLabelName(key);
      labels[`__meta_kubernetes_${kind}_${what}_${name}`] = value;
      labels[`__meta_kubernetes_${kind}_${what}present_${name}`] = 'true';
    }
  }
  return labels;
}

/** What `attach_metadata` adds: other objects' labels, where these are known. */
export interface AttachedMetadata {
  readonly nodes: ReadonlyMap<string, V1Node> | undefined;
  readonly namespaces: ReadonlyMap<string, V1Namespace> | undefined;
}

export function attachedNodeLabels({ nodes }: AttachedMetadata, name: string | undefined): Target {
  const node = name === undefined ? undefined : nodes?.get(name);
  return node === undefined ? {} : objectLabels('node', node.metadata);
}

export function attachedNamespaceLabels({ namespaces }: AttachedMetadata, name: string | undefined): Target {
  const namespace = name === undefined ? undefined : namespaces?.get(name);
  return namespace === undefined ? {} : mapLabels('namespace', namespace.metadata);
}
