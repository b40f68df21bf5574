/**
 * Targets from a Kubernetes API server (kubernetes_sd): objects of one role, and of the kinds that its labels come from, are
 * watched; each object of the role is a group.
 *
 *   role pod, selector spec.nodeName=node-1  ->  groups `pod/shop/web-1`, ... whenever one changes
 */
import type {
  V1EndpointSlice,
  V1Endpoints,
  V1Ingress,
  V1Namespace,
  V1Node,
  V1Pod,
  V1Service,
} from '@kubernetes/client-node';
import { errorMessage } from '#model/errors.ts';
import type { HttpEndpoint } from '../../containers/http-request.ts';
import type { RetryDelays } from '../../containers/retry-delay.ts';
import { ownNamespace } from '../../kubernetes/cluster-access.ts';
import type { NodePods } from '../../kubernetes/node-pods.ts';
import type { Discovery, StartDiscovery, TargetGroup } from '../target-group.ts';
import { ingressGroup, nodeGroup } from './node-targets.ts';
import { podGroup } from './pod-targets.ts';
import {
  type EndpointNeighbours,
  endpointSliceGroup,
  endpointsGroup,
  serviceGroup,
} from './service-targets.ts';
import { type KubeObject, WatchedObjects } from './watched-objects.ts';

export type KubernetesRole = 'node' | 'service' | 'pod' | 'endpoints' | 'endpointslice' | 'ingress';
type WatchedKind = KubernetesRole | 'namespace';

export interface KubernetesDiscoveryOptions {
  readonly role: KubernetesRole;
  readonly endpoint: HttpEndpoint;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** The namespace that this pod runs in, besides. */
  readonly includesOwnNamespace: boolean;
  readonly selectors: readonly {
    readonly role: KubernetesRole;
    readonly label: string;
    readonly field: string;
  }[];
  /** Of the same cluster: who wants just these pods gets them without a watch of their own. */
  readonly nodePods?: NodePods | undefined;
  readonly attachesNode: boolean;
  readonly attachesNamespace: boolean;
  /** Changes of this time are told together. */
  readonly coalesceMs?: number;
  readonly retry?: RetryDelays;
}

/** Pods of a busy cluster change all the time. */
const coalesceMsDefault = 1000;

const resources: Readonly<Record<WatchedKind, { api: string; plural: string; isNamespaced: boolean }>> = {
  pod: { api: '/api/v1', plural: 'pods', isNamespaced: true },
  service: { api: '/api/v1', plural: 'services', isNamespaced: true },
  endpoints: { api: '/api/v1', plural: 'endpoints', isNamespaced: true },
  endpointslice: { api: '/apis/discovery.k8s.io/v1', plural: 'endpointslices', isNamespaced: true },
  ingress: { api: '/apis/networking.k8s.io/v1', plural: 'ingresses', isNamespaced: true },
  node: { api: '/api/v1', plural: 'nodes', isNamespaced: false },
  namespace: { api: '/api/v1', plural: 'namespaces', isNamespaced: false },
};

export function kubernetesDiscovery(options: KubernetesDiscoveryOptions): StartDiscovery {
  return (onGroups) => new ClusterWatch(options, onGroups);
}

class ClusterWatch implements Discovery {
  readonly #options: KubernetesDiscoveryOptions;
  readonly #onGroups: (groups: readonly TargetGroup[]) => void;
  readonly #watches = new Map<WatchedKind, WatchedObjects<KubeObject>[]>();
  readonly #groups = new WeakMap<KubeObject, { readonly generation: number; readonly group: TargetGroup }>();
  readonly #starting: Promise<void>;
  /** Counts changes of the objects that labels come from: groups made before are stale. */
  #generation = 0;
  /** Groups as they were told last. */
  #told: readonly TargetGroup[] | undefined;
  #startFault = '';
  /** An object that is not as the API has it. */
  #objectFault = '';
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: KubernetesDiscoveryOptions, onGroups: (groups: readonly TargetGroup[]) => void) {
    this.#options = options;
    this.#onGroups = onGroups;
    this.#starting = this.#start().catch((error: unknown) => {
      this.#startFault = `own_namespace: this process does not run in a pod: ${errorMessage(error)}`;
    });
  }

  problem(): string {
    const problems = this.#all().map((watch) => watch.problem());
    return [this.#startFault, this.#objectFault, ...problems].filter((text) => text !== '').join('; ');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#starting;
    await Promise.all(this.#all().map((watch) => watch.stop()));
  }

  async #start(): Promise<void> {
    const { role, includesOwnNamespace, attachesNode, attachesNamespace } = this.#options;
    const own = includesOwnNamespace ? [await ownNamespace()] : [];
    if (this.#isStopped) return;
    const namespaces = [...new Set([...own, ...this.#options.namespaces])];
    const isEndpoints = role === 'endpoints' || role === 'endpointslice';
    const canAttachNode = role === 'pod' || isEndpoints;
    this.#watch(role, namespaces);
    if (isEndpoints) {
      this.#watch('pod', namespaces);
      this.#watch('service', namespaces);
    }
    if (attachesNode && canAttachNode) this.#watch('node', []);
    if (attachesNamespace && role !== 'node') this.#watch('namespace', []);
  }

  #watch(kind: WatchedKind, namespaces: readonly string[]): void {
    const { endpoint, selectors, retry, role } = this.#options;
    const { api, plural, isNamespaced } = resources[kind];
    const selector = selectors.find((candidate) => candidate.role === kind);
    const nodePods = kind === 'pod' && isOfNode(selector, namespaces, this.#options.nodePods);
    const places = isNamespaced && namespaces.length > 0 ? namespaces : [''];
    const onChange = (): void => {
      if (kind !== role) this.#generation++;
      this.#planUpdate();
    };
    this.#watches.set(
      kind,
      places.map(
        (namespace) =>
          new WatchedObjects<KubeObject>({
            path: `${api}${namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`,
            resource: plural,
            ...(selector?.label && { labelSelector: selector.label }),
            ...(selector?.field && { fieldSelector: selector.field }),
            endpoint,
            ...(nodePods && { nodePods: this.#options.nodePods }),
            onChange,
            ...(retry !== undefined && { retry }),
          }),
      ),
    );
  }

  #all(): WatchedObjects<KubeObject>[] {
    return [...this.#watches.values()].flat();
  }

  #planUpdate(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#update();
    }, this.#options.coalesceMs ?? coalesceMsDefault);
  }

  #update(): void {
    if (!this.#all().every(({ isListed }) => isListed)) return;
    const neighbours: EndpointNeighbours = {
      pods: this.#objects<V1Pod>('pod'),
      services: this.#objects<V1Service>('service'),
      nodes: this.#watches.has('node') ? this.#objects<V1Node>('node') : undefined,
      namespaces: this.#watches.has('namespace') ? this.#objects<V1Namespace>('namespace') : undefined,
    };
    let fault = '';
    const groups: TargetGroup[] = [];
    const bySource = new Map((this.#told ?? []).map((group) => [group.source, group]));
    for (const watch of this.#watches.get(this.#options.role) ?? []) {
      for (const [key, object] of watch.objects) {
        try {
          groups.push(this.#groupOf(object, neighbours, bySource));
        } catch (error) {
          // A field has another type than the API says. The other objects have their targets all the same.
          fault = `${this.#options.role} ${key}: ${errorMessage(error)}`;
        }
      }
    }
    this.#objectFault = fault;
    const told = this.#told;
    if (told?.length === groups.length && groups.every((group, index) => group === told[index])) return;
    this.#told = groups;
    this.#onGroups(groups);
  }

  /** The same group as before where its content is the same: most changes of objects are none for their targets. */
  #groupOf(
    object: KubeObject,
    neighbours: EndpointNeighbours,
    bySource: ReadonlyMap<string, TargetGroup>,
  ): TargetGroup {
    const known = this.#groups.get(object);
    if (known?.generation === this.#generation) return known.group;
    const made = groupOf(this.#options.role, object, neighbours);
    checkTexts(made);
    const before = bySource.get(made.source);
    const group = before !== undefined && JSON.stringify(before) === JSON.stringify(made) ? before : made;
    this.#groups.set(object, { generation: this.#generation, group });
    return group;
  }

  #objects<Kind extends KubeObject>(kind: WatchedKind): ReadonlyMap<string, Kind> {
    const maps = (this.#watches.get(kind) ?? []).map(({ objects }) => objects as ReadonlyMap<string, Kind>);
    const [only] = maps;
    if (only !== undefined && maps.length === 1) return only;
    return new Map(maps.flatMap((objects) => [...objects]));
  }
}

/** Whether the pods that are selected are those of the node. */
function isOfNode(
  selector: { readonly label: string; readonly field: string } | undefined,
  namespaces: readonly string[],
  nodePods: NodePods | undefined,
): boolean {
  const field = nodePods && `spec.nodeName=${nodePods.node}`;
  return namespaces.length === 0 && selector?.label === '' && selector.field === field;
}

function checkTexts({ targets, labels }: TargetGroup): void {
  for (const set of [labels, ...targets]) {
    for (const [name, value] of Object.entries(set)) {
      if (typeof value !== 'string') throw new Error(`the value of ${name} is no text`);
    }
  }
}

/** Objects are what the API server sent for the role's path: their fields are read as optional throughout. */
function groupOf(role: KubernetesRole, object: KubeObject, neighbours: EndpointNeighbours): TargetGroup {
  switch (role) {
    case 'pod':
      return podGroup(object as V1Pod, neighbours);
    case 'service':
      return serviceGroup(object as V1Service, neighbours);
    case 'endpoints':
      return endpointsGroup(object as V1Endpoints, neighbours);
    case 'endpointslice':
      return endpointSliceGroup(object as V1EndpointSlice, neighbours);
    case 'node':
      return nodeGroup(object as V1Node);
    case 'ingress':
      return ingressGroup(object as V1Ingress, neighbours);
    default:
      return role satisfies never;
  }
}
