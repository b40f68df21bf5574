/**
 * The labels of a cgroup's series, as cAdvisor in the kubelet has them.
 *
 *   a container that is known   ->  id, name, image, namespace, pod, container, container_label_*
 *   a pod's cgroup              ->  id, namespace, pod: known from the containers in it
 *   a pod's pause container     ->  id, name, namespace, pod, container="POD"
 *   the root, a slice           ->  id
 *
 * So `container!=""` selects containers alone, and a sum over everything would count each byte three times. A label that
 * is not known is left out, which is the same as an empty one.
 */
import type { ContainerFacts } from '../containers/container-facts.ts';
import type { CgroupLabels } from './cgroup-layout.ts';
import type { FoundCgroup } from './cgroup-tree.ts';

export type FindContainer = (containerId: string) => ContainerFacts | undefined;

export interface LabelledCgroup extends FoundCgroup {
  readonly labels: CgroupLabels;
  readonly isPause: boolean;
}

export interface LabelSources {
  readonly find: FindContainer;
  /** Whether the container's process is `pause`, which holds a pod's network name space and does nothing else. */
  readonly isPause: (cgroup: FoundCgroup) => boolean;
}

export function labelCgroups(
  cgroups: readonly FoundCgroup[],
  { find, isPause }: LabelSources,
): LabelledCgroup[] {
  const facts = new Map<FoundCgroup, ContainerFacts | undefined>();
  const podLabels = new Map<string, Record<string, string>>();
  for (const cgroup of cgroups) {
    if (cgroup.identity.kind !== 'container') continue;
    const known = find(cgroup.identity.containerId);
    facts.set(cgroup, known);
    const pod = podOf(known);
    if (pod.pod !== undefined && cgroup.identity.podPath !== '') podLabels.set(cgroup.identity.podPath, pod);
  }
  return cgroups.map((cgroup) => {
    const { path, identity } = cgroup;
    if (identity.kind === 'pod')
      return { ...cgroup, isPause: false, labels: { ...podLabels.get(path), id: path } };
    if (identity.kind !== 'container') return { ...cgroup, isPause: false, labels: { id: path } };
    const known = facts.get(cgroup);
    const name = known?.attributes['k8s.container.name'];
    // Whoever knows the pod's containers does not know its pause container: it is no container of the pod's specification.
    const isPodsPause = identity.podPath !== '' && name === undefined && isPause(cgroup);
    const labels = {
      ...engineLabels(known),
      ...(podLabels.get(identity.podPath) ?? podOf(known)),
      id: path,
      name: text(known?.attributes['container.name']) ?? identity.containerId,
      ...(isPodsPause ? { container: 'POD' } : present({ container: text(name), image: imageOf(known) })),
    };
    return { ...cgroup, isPause: isPodsPause, labels };
  });
}

function podOf(facts: ContainerFacts | undefined): Record<string, string> {
  return present({
    namespace: text(facts?.attributes['k8s.namespace.name']),
    pod: text(facts?.attributes['k8s.pod.name']),
  });
}

/** The image with its tag, where the name does not have one already. */
function imageOf(facts: ContainerFacts | undefined): string | undefined {
  const name = text(facts?.attributes['container.image.name']);
  const tag = text(facts?.attributes['container.image.tags']);
  return name === undefined || tag === undefined || /:[^/]*$/.test(name) ? name : `${name}:${tag}`;
}

const engineLabelPrefix = 'container.label.';

/** Labels that Docker or podman gave, as cAdvisor writes them: `container_label_com_docker_compose_service`. */
function engineLabels(facts: ContainerFacts | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [name, value] of Object.entries(facts?.attributes ?? {}))
    if (name.startsWith(engineLabelPrefix)) labels[name.replace(/[^a-zA-Z0-9_]/g, '_')] = String(value);
  return labels;
}

function text(value: string | number | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : String(value);
}

function present(pairs: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pairs).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
