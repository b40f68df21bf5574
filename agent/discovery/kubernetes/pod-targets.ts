/**
 * Pods as targets (kubernetes_sd, role pod): one for each port of each container, or one without a port.
 *
 *   pod 10.0.0.7 with port 8080  ->  { __address__: '10.0.0.7:8080', __meta_kubernetes_pod_container_name: 'app', ... }
 */
import type { V1Container, V1ContainerPort, V1Pod } from '@kubernetes/client-node';
import { hostPort } from '../label-name.ts';
import type { TargetGroup } from '../target-group.ts';
import {
  type AttachedMetadata,
  attachedNamespaceLabels,
  attachedNodeLabels,
  objectLabels,
  type Target,
} from './object-labels.ts';

export function podGroup(pod: V1Pod, attached: AttachedMetadata): TargetGroup {
  const { namespace = '', name = '' } = pod.metadata ?? {};
  const source = `pod/${namespace}/${name}`;
  const ip = pod.status?.podIP;
  // A pod that starts, or was evicted, has no address.
  if (!ip) return { source, targets: [], labels: {} };
  return {
    source,
    targets: podContainers(pod).flatMap(({ container, isInit }) => {
      const shared = {
        __meta_kubernetes_pod_container_name: container.name,
        __meta_kubernetes_pod_container_id: containerId(pod, container.name, isInit),
        __meta_kubernetes_pod_container_image: container.image ?? '',
        __meta_kubernetes_pod_container_init: String(isInit),
      };
      if (!container.ports?.length) return [{ ...shared, __address__: ip }];
      return container.ports.map((port) => ({
        ...shared,
        __address__: hostPort(ip, port.containerPort),
        __meta_kubernetes_pod_container_port_number: String(port.containerPort),
        __meta_kubernetes_pod_container_port_name: port.name ?? '',
        __meta_kubernetes_pod_container_port_protocol: port.protocol ?? '',
      }));
    }),
    labels: {
      ...podLabels(pod),
      ...attachedNodeLabels(attached, pod.spec?.nodeName),
      ...attachedNamespaceLabels(attached, namespace),
      __meta_kubernetes_namespace: namespace,
    },
  };
}

/** Of the pod itself: on its own targets, and on those of endpoints that it stands behind. */
export function podLabels(pod: V1Pod): Target {
  const { status, spec, metadata } = pod;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const controller = metadata?.ownerReferences?.find(({ controller: isController }) => isController === true);
  return {
    __meta_kubernetes_pod_ip: status?.podIP ?? '',
    __meta_kubernetes_pod_ready: (ready?.status ?? 'Unknown').toLowerCase(),
    __meta_kubernetes_pod_phase: status?.phase ?? '',
    __meta_kubernetes_pod_node_name: spec?.nodeName ?? '',
    __meta_kubernetes_pod_host_ip: status?.hostIP ?? '',
    __meta_kubernetes_pod_uid: metadata?.uid ?? '',
    ...objectLabels('pod', metadata),
    ...(controller && {
      __meta_kubernetes_pod_controller_kind: controller.kind,
      __meta_kubernetes_pod_controller_name: controller.name,
    }),
  };
}

export interface PodContainer {
  readonly container: V1Container;
  readonly isInit: boolean;
}

/** Init containers too: those that go on running are sidecars. */
export function podContainers(pod: V1Pod): PodContainer[] {
  return [
    ...(pod.spec?.containers ?? []).map((container) => ({ container, isInit: false })),
    ...(pod.spec?.initContainers ?? []).map((container) => ({ container, isInit: true })),
  ];
}

/** A container's port as a label set, for targets of endpoints. */
export function containerPortLabels({ container, isInit }: PodContainer, port: V1ContainerPort): Target {
  return {
    __meta_kubernetes_pod_container_name: container.name,
    __meta_kubernetes_pod_container_image: container.image ?? '',
    __meta_kubernetes_pod_container_port_name: port.name ?? '',
    __meta_kubernetes_pod_container_port_number: String(port.containerPort),
    __meta_kubernetes_pod_container_port_protocol: port.protocol ?? '',
    __meta_kubernetes_pod_container_init: String(isInit),
  };
}

function containerId(pod: V1Pod, name: string, isInit: boolean): string {
  const statuses = isInit ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
  return statuses?.find((status) => status.name === name)?.containerID ?? '';
}
