/**
 * The containers of this node's pods, from the Kubernetes API: one watch of the pods whose spec.nodeName is this node's,
 * and, only where their labels are wanted, one of the namespaces and one of the node.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { ApiObjectError } from '../containers/api-object-error.ts';
import { ChangeNotifier } from '../containers/change-notifier.ts';
import type {
  ContainerDirectory,
  ContainerFacts,
  ContainerPlace,
  ResourceAttributes,
} from '../containers/container-facts.ts';
import type { HttpEndpoint } from '../containers/http-request.ts';
import { compileNameGlobs } from '../containers/label-globs.ts';
import { type RetryDelays, retryDelaysDefault } from '../containers/retry-delay.ts';
import { annotationPrefix } from '../containers/rules/pod-annotations.ts';
import { ListWatch } from './list-watch.ts';
import { type NodePods, nodePods } from './node-pods.ts';
import { type AttributeChoice, attributeAnnotationPrefix } from './pod-attributes.ts';
import { PodCache } from './pod-cache.ts';
import { type PodRecord, readPod } from './pod-record.ts';
import { findProcessRoots } from './process-roots.ts';

export interface KubernetesDirectoryOptions {
  readonly endpoint: HttpEndpoint;
  /** As the API calls it (spec.nodeName). */
  readonly node: string;
  /** Globs (see label-globs.ts). */
  readonly podLabels: readonly string[];
  readonly podAnnotations: readonly string[];
  /** Empty: namespaces are not watched. */
  readonly namespaceLabels: readonly string[];
  /** Empty: the node is not watched. */
  readonly nodeLabels: readonly string[];
  readonly isServiceFromLabels: boolean;
  readonly keepDeletedMs: number;
  /** Where the host's root is for this process (see host-globs.ts). */
  readonly hostPath: string;
  readonly log: Logger;
  readonly retry?: RetryDelays;
  readonly random?: () => number;
  readonly now?: () => number;
  readonly changeQuietMs?: number;
  readonly sweepIntervalMs?: number;
}

/** Aliases of other collectors are read from annotations too. */
const aliyunPrefix = 'aliyun.log';
/** At each change, and at each sweep: for most of a minute. */
const looksMax = 6;
const sweepIntervalMsDefault = 10_000;
const namespacesMax = 20_000;

const labelledSchema = z.object({
  metadata: z.object({ name: z.string().min(1), labels: z.record(z.string(), z.string()).nullish() }),
});

interface Labelled {
  readonly name: string;
  readonly attributes: ResourceAttributes;
}

export class KubernetesDirectory implements ContainerDirectory {
  readonly #node: string;
  readonly #log: Logger;
  readonly #notifier: ChangeNotifier;
  readonly #cache: PodCache;
  readonly #pods: ListWatch<PodRecord>;
  readonly #others: ListWatch<Labelled>[] = [];
  readonly #namespaces = new Map<string, ResourceAttributes>();
  #nodeAttributes: ResourceAttributes = {};
  readonly #procPath: string;
  #roots: ReadonlyMap<string, string> = new Map();
  /** How often a container was looked for: it may have ended, or not begun. */
  #looks: ReadonlyMap<string, number> = new Map();
  #isLooking = false;
  #looking: Promise<void> | undefined;
  #all: ReadonlyMap<string, ContainerFacts> | undefined;
  readonly #sweepTimer: NodeJS.Timeout;

  /** Starts to list and watch at once. */
  constructor(options: KubernetesDirectoryOptions) {
    this.#node = options.node;
    this.#log = options.log;
    this.#procPath = join(options.hostPath, 'proc');
    this.#notifier = new ChangeNotifier(options.changeQuietMs);
    const choice: AttributeChoice = {
      podLabel: compileNameGlobs(options.podLabels),
      podAnnotation: compileNameGlobs(options.podAnnotations),
      isServiceFromLabels: options.isServiceFromLabels,
    };
    this.#cache = new PodCache({
      choice,
      keepDeletedMs: options.keepDeletedMs,
      surroundings: ({ namespace }) => ({ ...this.#nodeAttributes, ...this.#namespaces.get(namespace) }),
      rootOf: (id) => this.#roots.get(id),
      now: options.now ?? Date.now,
    });
    const shared = {
      endpoint: options.endpoint,
      retry: options.retry ?? retryDelaysDefault,
      random: options.random ?? Math.random,
      log: options.log,
    };
    this.#pods = new ListWatch<PodRecord>({
      ...shared,
      path: '/api/v1/pods',
      query: { fieldSelector: `spec.nodeName=${options.node}` },
      resource: 'pods',
      pick: (object) => readPod(object, (key) => isKeptAnnotation(key) || choice.podAnnotation(key)),
      onReplace: (pods) => this.#replace(pods),
      onUpsert: (pod) => this.#upsert(pod),
      onRemove: (pod) => this.#cache.remove(pod),
    });
    if (options.namespaceLabels.length > 0) this.#watchNamespaces(shared, options.namespaceLabels);
    if (options.nodeLabels.length > 0) this.#watchNode(shared, options.nodeLabels);
    this.#sweepTimer = setInterval(() => this.#sweep(), options.sweepIntervalMs ?? sweepIntervalMsDefault);
    this.#sweepTimer.unref();
  }

  get isReady(): boolean {
    return this.#pods.isReady;
  }

  /** The same pods for others, without a watch of their own. */
  get nodePods(): NodePods {
    return nodePods(this.#node, this.#pods);
  }

  /** Pods in memory, those that are gone among them. */
  get size(): number {
    return this.#cache.size;
  }

  find(place: ContainerPlace): ContainerFacts | undefined {
    const { containerId } = place;
    // The id is of one run; names are of all of them.
    const byId = containerId === undefined ? undefined : this.all().get(containerId);
    return byId ?? this.#cache.find(place);
  }

  all(): ReadonlyMap<string, ContainerFacts> {
    this.#all ??= new Map(this.#cache.byContainerId());
    return this.#all;
  }

  onChange(listener: () => void): void {
    this.#notifier.onChange(listener);
  }

  problem(): string {
    const problems = [this.#pods, ...this.#others].map((watch) => watch.problem());
    if (this.#pods.isReady && this.#cache.liveSize === 0) {
      problems.push(
        `Kubernetes has no pods on a node ${JSON.stringify(this.#node)}: is agent.kubernetes.node right?`,
      );
    }
    if (this.#cache.refused > 0) {
      problems.push(
        `Kubernetes has more pods on this node than are kept: ${this.#cache.refused} updates were left out`,
      );
    }
    const skipped = [this.#pods, ...this.#others].reduce((total, watch) => total + watch.skipped, 0);
    if (skipped > 0)
      problems.push(`Kubernetes sent ${skipped} objects that are not as expected: they were left out`);
    return problems.filter((text) => text !== '').join('; ');
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweepTimer);
    this.#notifier.stop();
    await Promise.all([this.#pods, ...this.#others].map((watch) => watch.stop()));
    await this.#looking;
  }

  #replace(pods: readonly PodRecord[]): void {
    for (const pod of pods) this.#upsert(pod);
    this.#cache.keepOnly(pods);
    // Also where nothing was found: from now on what is not known is not there.
    this.#changed();
  }

  #upsert(pod: PodRecord): void {
    const changed = this.#cache.upsert(pod);
    if (changed.length === 0) return;
    for (const { attributes, rules } of changed) {
      if (rules.problems.length === 0) continue;
      this.#log.warn(
        {
          namespace: pod.namespace,
          pod: pod.name,
          container: attributes['k8s.container.name'],
          problems: rules.problems,
        },
        'a rule for the logs of a pod is not understood',
      );
    }
    this.#changed();
  }

  #sweep(): void {
    const before = this.#cache.size;
    this.#cache.sweep();
    if (this.#cache.size !== before) this.#all = undefined;
    this.#lookForRoots();
  }

  #changed(): void {
    this.#all = undefined;
    this.#notifier.notify();
    this.#lookForRoots();
  }

  /** Most nodes have no rule that asks for files: their processes are never looked at. */
  #lookForRoots(): void {
    if (!this.#isLooking) this.#looking = this.#lookUntilDone();
  }

  /** Also for containers that come meanwhile. Never rejects. */
  async #lookUntilDone(): Promise<void> {
    this.#isLooking = true;
    for (let ids = this.#idsToLookFor(); ids.size > 0; ids = this.#idsToLookFor()) {
      const found = await findProcessRoots(this.#procPath, ids);
      const wanted = this.#cache.idsWithFiles();
      const looks = new Map([...this.#looks].filter(([id]) => wanted.has(id)));
      for (const id of ids) looks.set(id, (looks.get(id) ?? 0) + 1);
      this.#looks = looks;
      this.#roots = new Map([...this.#roots, ...found].filter(([id]) => wanted.has(id)));
      if (found.size === 0 || !this.#cache.rebuild()) break;
      this.#all = undefined;
      this.#notifier.notify();
    }
    this.#isLooking = false;
  }

  #idsToLookFor(): Set<string> {
    const ids = this.#cache.idsWithFiles();
    for (const id of ids) if (this.#roots.has(id) || (this.#looks.get(id) ?? 0) >= looksMax) ids.delete(id);
    return ids;
  }

  #watchNamespaces(shared: SharedOptions, globs: readonly string[]): void {
    const keep = ({ name, attributes }: Labelled): void => {
      if (this.#namespaces.size >= namespacesMax && !this.#namespaces.has(name)) {
        throw new Error(`there are more than ${namespacesMax} namespaces`);
      }
      this.#namespaces.set(name, attributes);
    };
    this.#others.push(
      new ListWatch<Labelled>({
        ...shared,
        path: '/api/v1/namespaces',
        resource: 'namespaces',
        isOptional: true,
        pick: pickLabels(globs, 'k8s.namespace.label.'),
        onReplace: (namespaces) => {
          this.#namespaces.clear();
          for (const namespace of namespaces) keep(namespace);
          this.#rebuild();
        },
        onUpsert: (namespace) => {
          keep(namespace);
          this.#rebuild();
        },
        // Not built anew: the logs of a deleted namespace's pods are still read, with its labels.
        onRemove: ({ name }) => void this.#namespaces.delete(name),
      }),
    );
  }

  #watchNode(shared: SharedOptions, globs: readonly string[]): void {
    const take = (node: Labelled | undefined): void => {
      this.#nodeAttributes = node?.attributes ?? {};
      this.#rebuild();
    };
    this.#others.push(
      new ListWatch<Labelled>({
        ...shared,
        path: '/api/v1/nodes',
        query: { fieldSelector: `metadata.name=${this.#node}` },
        resource: 'nodes',
        isOptional: true,
        pick: pickLabels(globs, 'k8s.node.label.'),
        onReplace: ([node]) => take(node),
        onUpsert: take,
        onRemove: () => {},
      }),
    );
  }

  #rebuild(): void {
    if (this.#cache.rebuild()) this.#changed();
  }
}

type SharedOptions = Pick<
  KubernetesDirectoryOptions & { retry: RetryDelays; random: () => number },
  'endpoint' | 'retry' | 'random' | 'log'
>;

function isKeptAnnotation(key: string): boolean {
  return (
    key.startsWith(annotationPrefix) ||
    key.startsWith(attributeAnnotationPrefix) ||
    key.startsWith(aliyunPrefix)
  );
}

function pickLabels(globs: readonly string[], prefix: string): (object: unknown) => Labelled {
  const isChosen = compileNameGlobs(globs);
  return (object) => {
    const parsed = labelledSchema.safeParse(object);
    if (!parsed.success) throw new ApiObjectError('an object with labels', parsed.error);
    const { metadata } = parsed.data;
    const labels = Object.entries(metadata.labels ?? {}).filter(([name]) => isChosen(name));
    return {
      name: metadata.name,
      attributes: Object.fromEntries(labels.map(([name, value]) => [prefix + name, value])),
    };
  };
}
