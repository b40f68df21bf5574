/**
 * A container of a pod in OpenTelemetry's names (semantic conventions: k8s, container; "Populating resource attributes
 * in Kubernetes" for service.*).
 */
import { imageAttributes, imageVersion, parseImageReference } from '../containers/image-reference.ts';
import type { ContainerRecord, PodRecord } from './pod-record.ts';
import { workloadAttributes } from './workload.ts';

export interface AttributeChoice {
  readonly podLabel: (name: string) => boolean;
  readonly podAnnotation: (name: string) => boolean;
  /** May the well-known labels app.kubernetes.io/* name the service? The conventions ask for a switch. */
  readonly isServiceFromLabels: boolean;
}

/** Annotations with this prefix are attributes: what follows it is the name. */
export const attributeAnnotationPrefix = 'resource.opentelemetry.io/';
/** Annotations may have 256 KiB: what is longer is no attribute. */
export const annotationCharactersMax = 4096;

/** In the conventions' order: from the ancestor to the descendant. */
const serviceNames = [
  'k8s.deployment.name',
  'k8s.replicaset.name',
  'k8s.statefulset.name',
  'k8s.daemonset.name',
  'k8s.cronjob.name',
  'k8s.job.name',
  'k8s.pod.name',
  'k8s.container.name',
];

type Attributes = Record<string, string | number>;

/** Returns what all runs of the container share: no container.id and no restart count. */
export function podAttributes(
  pod: PodRecord,
  container: ContainerRecord,
  choice: AttributeChoice,
): Attributes {
  const image = parseImageReference(container.image);
  const attributes: Attributes = {
    'k8s.namespace.name': pod.namespace,
    'k8s.pod.name': pod.name,
    'k8s.pod.uid': pod.uid,
    'k8s.container.name': container.name,
    ...(pod.node === '' ? {} : { 'k8s.node.name': pod.node }),
    // Of the OpenTelemetry Collector's k8s_cluster receiver: the conventions have no name for it.
    ...(pod.qosClass === '' ? {} : { 'k8s.pod.qos_class': pod.qosClass }),
    ...workloadAttributes(pod),
    ...imageAttributes(image),
  };
  const digests = container.imageId.replace(/^[a-z-]+:\/\//, '');
  if (digests.includes('@')) attributes['container.image.repo_digests'] = digests;
  for (const [name, value] of Object.entries(pod.labels)) {
    if (choice.podLabel(name)) attributes[`k8s.pod.label.${name}`] = value;
  }
  for (const [name, value] of Object.entries(pod.annotations)) {
    if (choice.podAnnotation(name) && value.length <= annotationCharactersMax) {
      attributes[`k8s.pod.annotation.${name}`] = value;
    }
  }
  return { ...attributes, ...serviceAttributes(attributes, pod, imageVersion(image), choice) };
}

/** Returns the annotations that were to be attributes and are too long, for a person. */
export function longAnnotations(pod: PodRecord, choice: AttributeChoice): string[] {
  return Object.entries(pod.annotations)
    .filter(
      ([name, value]) =>
        value.length > annotationCharactersMax &&
        (choice.podAnnotation(name) || name.startsWith(attributeAnnotationPrefix)),
    )
    .map(
      ([name, { length }]) =>
        `${name}: its ${length} characters are over ${annotationCharactersMax}: it is no attribute`,
    );
}

function serviceAttributes(
  attributes: Attributes,
  pod: PodRecord,
  version: string,
  choice: AttributeChoice,
): Attributes {
  const label = (name: string): string =>
    choice.isServiceFromLabels ? (pod.labels[`app.kubernetes.io/${name}`] ?? '') : '';
  const name =
    label('instance') || label('name') || attributes[serviceNames.find((key) => attributes[key]) ?? ''];
  const service: Attributes = {
    'service.name': name ?? '',
    'service.namespace': pod.namespace,
    'service.version': label('version') || version,
    'service.instance.id': [pod.namespace, pod.name, attributes['k8s.container.name']].join('.'),
  };
  if (service['service.version'] === '') delete service['service.version'];
  for (const [key, value] of Object.entries(pod.annotations)) {
    const attribute = key.slice(attributeAnnotationPrefix.length);
    if (!key.startsWith(attributeAnnotationPrefix) || attribute === '' || value === '') continue;
    // What the API knows better: no annotation may name another pod or container.
    if (attribute.startsWith('k8s.') || attribute.startsWith('container.')) continue;
    if (value.length <= annotationCharactersMax) service[attribute] = value;
  }
  return service;
}

/** Returns what tells one run of a container from the others. `id` is as in a status: `containerd://<id>` or ''. */
export function runAttributes(id: string, restartCount: number): Attributes {
  const [, runtime, containerId] = /^([a-z-]+):\/\/([0-9a-f]+)$/.exec(id) ?? [];
  return {
    'k8s.container.restart_count': restartCount,
    ...(containerId === undefined ? {} : { 'container.id': containerId, 'container.runtime.name': runtime! }),
  };
}

/** The bare id of a status's container id; '' where there is none. */
export function bareContainerId(id: string): string {
  const scheme = id.indexOf('://');
  return scheme === -1 ? '' : id.slice(scheme + 3);
}
