/**
 * The pods behind the addresses of a service: their labels on its targets, and targets for those of their ports that the
 * service does not have (Prometheus, roles endpoints and endpointslice).
 */
import type { V1ObjectReference, V1Pod } from '@kubernetes/client-node';
import { hostPort } from '../label-name.ts';
import type { Target } from './object-labels.ts';
import { containerPortLabels, podContainers, podLabels } from './pod-targets.ts';

export class EndpointPods {
  readonly #pods: ReadonlyMap<string, V1Pod>;
  readonly #seenPorts = new Map<V1Pod, Set<number>>();

  constructor(pods: ReadonlyMap<string, V1Pod>) {
    this.#pods = pods;
  }

  /** Labels of the pod that an address refers to, and of the container whose port it is; none where it is no pod. */
  labels(reference: V1ObjectReference | undefined, port: number | undefined): Target {
    if (reference?.kind !== 'Pod') return {};
    const pod = this.#pods.get(`${reference.namespace}/${reference.name}`);
    if (pod === undefined) return {};
    const seen = this.#seenPorts.get(pod) ?? new Set<number>();
    this.#seenPorts.set(pod, seen);
    let ofContainer: Target = {};
    if (port !== undefined) {
      seen.add(port);
      // As in Prometheus the last container with this port names it.
      for (const container of podContainers(pod)) {
        const match = container.container.ports?.find(({ containerPort }) => containerPort === port);
        if (match !== undefined) ofContainer = containerPortLabels(container, match);
      }
    }
    return { ...podLabels(pod), ...ofContainer };
  }

  /** Targets of the ports that no address had. */
  otherPorts(): Target[] {
    const targets: Target[] = [];
    for (const [pod, seen] of this.#seenPorts) {
      const ip = pod.status?.podIP;
      if (!ip) continue;
      for (const container of podContainers(pod)) {
        for (const port of container.container.ports ?? []) {
          if (seen.has(port.containerPort)) continue;
          targets.push({
            __address__: hostPort(ip, port.containerPort),
            ...containerPortLabels(container, port),
            ...podLabels(pod),
          });
        }
      }
    }
    return targets;
  }
}
