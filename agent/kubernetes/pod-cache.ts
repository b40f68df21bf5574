/**
 * The pods of this node as facts of their containers: built when a pod changes, so that asking is a look-up.
 *
 *   upsert(pod), find({ podUid, containerName: 'web', restartCount: 3 })  ->  { attributes: { 'k8s.pod.name': ... }, rules, ... }
 */
import { createHash } from 'node:crypto';
import type { ContainerFacts, ContainerPlace, ResourceAttributes } from '../containers/container-facts.ts';
import { podRules } from '../containers/container-rules.ts';
import { RetainedMap } from '../containers/retained-map.ts';
import {
  type AttributeChoice,
  bareContainerId,
  longAnnotations,
  podAttributes,
  runAttributes,
} from './pod-attributes.ts';
import type { ContainerRecord, PodRecord } from './pod-record.ts';

export interface PodCacheOptions {
  readonly choice: AttributeChoice;
  /** How long a pod that is gone is still known. */
  readonly keepDeletedMs: number;
  /** Labels of the namespace and the node, as attributes. */
  readonly surroundings: (pod: PodRecord) => ResourceAttributes;
  /** The root file system of a container, as a path of the host; undefined where it is not known. */
  readonly rootOf: (containerId: string) => string | undefined;
  readonly now: () => number;
  /** kubelet runs 110 pods on a node as shipped, some platforms 500; the rest is for those that are gone. */
  readonly podsMax?: number;
}

interface ContainerEntry {
  readonly record: ContainerRecord;
  readonly current: ContainerFacts;
  readonly previous: ContainerFacts | undefined;
}

interface PodEntry {
  readonly pod: PodRecord;
  /** Equal where nothing that we use has changed. */
  readonly fingerprint: string;
  readonly containers: ReadonlyMap<string, ContainerEntry>;
}

const podsMaxDefault = 2000;

export class PodCache {
  readonly #options: PodCacheOptions;
  readonly #pods: RetainedMap<PodEntry>;
  /** By what paths may have: the hash of a static pod's configuration, and `<namespace>/<name>`. */
  readonly #uidByPath = new Map<string, string>();
  #refused = 0;

  constructor(options: PodCacheOptions) {
    this.#options = options;
    this.#pods = new RetainedMap(options.podsMax ?? podsMaxDefault, options.keepDeletedMs, (entry) =>
      this.#forgetPaths(entry.pod),
    );
  }

  get liveSize(): number {
    return this.#pods.liveSize;
  }

  get size(): number {
    return this.#pods.size;
  }

  /** Pods that found no room. */
  get refused(): number {
    return this.#refused;
  }

  /** Returns the new facts of all containers of the pod, or none where nothing that we use has changed. */
  upsert(pod: PodRecord): ContainerFacts[] {
    const before = this.#pods.get(pod.uid);
    const entry = this.#build(pod);
    if (!this.#pods.set(pod.uid, before?.fingerprint === entry.fingerprint ? before : entry)) {
      this.#refused += 1;
      return [];
    }
    this.#uidByPath.set(pod.pathUid, pod.uid);
    this.#uidByPath.set(pathName(pod), pod.uid);
    if (before?.fingerprint === entry.fingerprint) return [];
    return [...entry.containers.values()].map(({ current }) => current);
  }

  remove(pod: PodRecord): void {
    this.#pods.remove(pod.uid, this.#options.now());
  }

  /** Removes the pods that a complete list does not have. */
  keepOnly(pods: readonly PodRecord[]): void {
    this.#pods.keepOnly(new Set(pods.map(({ uid }) => uid)), this.#options.now());
  }

  sweep(): void {
    this.#pods.sweep(this.#options.now());
  }

  /** Builds all anew: what is around the pods has changed, labels of a namespace or roots. Returns whether that changed anything. */
  rebuild(): boolean {
    let isChanged = false;
    for (const { pod, fingerprint } of [...this.#pods.liveValues()]) {
      const entry = this.#build(pod);
      if (entry.fingerprint === fingerprint) continue;
      this.#pods.set(pod.uid, entry);
      isChanged = true;
    }
    return isChanged;
  }

  /** By pod and container. A `containerId` is of a run that byContainerId does not have: which one is not known. */
  find(place: ContainerPlace): ContainerFacts | undefined {
    const { containerId, podUid, namespace, podName, containerName, restartCount } = place;
    if (containerName === undefined) return undefined;
    const uid =
      podUid === undefined
        ? this.#uidByPath.get(`${namespace}/${podName}`)
        : (this.#uidByPath.get(podUid) ?? podUid);
    const found = uid === undefined ? undefined : this.#pods.get(uid)?.containers.get(containerName);
    if (found === undefined) return undefined;
    const { record, current, previous } = found;
    if (containerId !== undefined) return withId(current, containerId);
    if (restartCount === undefined || restartCount === record.restartCount) return current;
    if (restartCount === record.restartCount - 1 && previous !== undefined) return previous;
    // An older run, or one that the API has not told of yet: only its number is known.
    return withRun(current, '', restartCount);
  }

  /** By container id: of the runs that the API tells of, this one and the one before. */
  *byContainerId(): IterableIterator<readonly [string, ContainerFacts]> {
    for (const { containers } of this.#pods.values()) {
      for (const { record, current, previous } of containers.values()) {
        if (previous !== undefined) yield [bareContainerId(record.previousId), previous];
        if (record.id !== '') yield [bareContainerId(record.id), current];
      }
    }
  }

  /** Ids of the containers that are there and whose rules ask for files in them. */
  idsWithFiles(): Set<string> {
    const ids = new Set<string>();
    for (const { containers } of this.#pods.liveValues()) {
      for (const { record, current } of containers.values()) {
        if (current.rules.files.length > 0 && record.id !== '') ids.add(bareContainerId(record.id));
      }
    }
    return ids;
  }

  #build(pod: PodRecord): PodEntry {
    const { choice, surroundings, rootOf } = this.#options;
    const around = surroundings(pod);
    const names = pod.containers.map(({ name }) => name);
    const containers = new Map<string, ContainerEntry>();
    const tooLong = longAnnotations(pod, choice);
    for (const record of pod.containers) {
      const { rules, tags } = podRules(pod.annotations, record.environment, record.name, names);
      const problems = record.name === names[0] ? [...rules.problems, ...tooLong] : rules.problems;
      const current: ContainerFacts = {
        attributes: {
          ...tags,
          ...around,
          ...podAttributes(pod, record, choice),
          ...runAttributes(record.id, record.restartCount),
          ...(rules.store === '' ? {} : { 'sonde.store': rules.store }),
        },
        rules: { ...rules, problems },
        mounts: record.mounts,
        rootPath: rootOf(bareContainerId(record.id)),
      };
      const previous =
        record.previousId === '' || record.restartCount === 0
          ? undefined
          : withRun(current, record.previousId, record.restartCount - 1);
      containers.set(record.name, { record, current, previous });
    }
    const text = JSON.stringify([...containers.values()].map(({ current, previous }) => [current, previous]));
    return { pod, fingerprint: createHash('sha256').update(text).digest('base64'), containers };
  }

  #forgetPaths(pod: PodRecord): void {
    for (const key of [pod.pathUid, pathName(pod)]) {
      if (this.#uidByPath.get(key) === pod.uid) this.#uidByPath.delete(key);
    }
  }
}

function pathName({ namespace, name }: PodRecord): string {
  return `${namespace}/${name}`;
}

function withId(facts: ContainerFacts, containerId: string): ContainerFacts {
  const { 'k8s.container.restart_count': _count, ...shared } = facts.attributes;
  return { ...facts, attributes: { ...shared, 'container.id': containerId } };
}

function withRun(facts: ContainerFacts, id: string, restartCount: number): ContainerFacts {
  const { 'container.id': _id, ...shared } = facts.attributes;
  return { ...facts, attributes: { ...shared, ...runAttributes(id, restartCount) } };
}
