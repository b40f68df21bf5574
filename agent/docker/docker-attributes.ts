/**
 * A Docker or podman container in OpenTelemetry's names (semantic conventions: container). Compose has none there: its
 * project, service and number are kept as the labels that they are.
 *
 *   com.docker.compose.project=shop, .service=cart  ->  service.namespace shop, service.name cart
 */
import type { ContainerFacts, ResourceAttributes } from '../containers/container-facts.ts';
import { dockerRules } from '../containers/container-rules.ts';
import { imageAttributes, imageVersion, parseImageReference } from '../containers/image-reference.ts';
import { type DockerRecord, labelCharactersMax, labelsMax } from './docker-record.ts';

export const composeLabels = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
} as const;

/** As in Kubernetes: labels with this prefix are attributes, and win. */
const attributePrefix = 'resource.opentelemetry.io/';
const versionLabel = 'org.opencontainers.image.version';

/** `runtime` is `docker` or `podman`; `isLabelKept` chooses the labels that become container.label.*. */
export function dockerFacts(
  record: DockerRecord,
  runtime: string,
  isLabelKept: (name: string) => boolean,
): ContainerFacts {
  const { id, name, labels, environment, mounts, rootPath } = record;
  const { rules, tags } = dockerRules(labels, environment);
  const image = parseImageReference(record.image);
  const attributes: Record<string, string | number> = {
    ...tags,
    'container.id': id,
    'container.name': name,
    'container.runtime.name': runtime,
    ...imageAttributes(image),
    ...(record.imageId === '' ? {} : { 'container.image.id': record.imageId }),
    ...serviceAttributes(record, labels[versionLabel] || imageVersion(image)),
  };
  const compose = new Set<string>(Object.values(composeLabels));
  for (const [label, value] of Object.entries(labels)) {
    if (compose.has(label) || isLabelKept(label)) attributes[`container.label.${label}`] = value;
    const attribute = label.startsWith(attributePrefix) ? label.slice(attributePrefix.length) : '';
    if (attribute !== '' && value !== '' && !isIdentity(attribute)) attributes[attribute] = value;
  }
  if (rules.store !== '') attributes['sonde.store'] = rules.store;
  const leftOut =
    record.labelsLeftOut === 0
      ? []
      : [
          `labels: ${record.labelsLeftOut} are not kept: there is room for ${labelsMax} of at most ${labelCharactersMax} characters`,
        ];
  return { attributes, rules: { ...rules, problems: [...rules.problems, ...leftOut] }, mounts, rootPath };
}

/** What the engine knows better: no label may name another container. */
function isIdentity(attribute: string): boolean {
  return attribute.startsWith('container.');
}

function serviceAttributes({ name, labels }: DockerRecord, version: string): ResourceAttributes {
  const service = labels[composeLabels.service] || name;
  const project = labels[composeLabels.project];
  return {
    ...(service === '' ? {} : { 'service.name': service }),
    ...(project ? { 'service.namespace': project } : {}),
    ...(version === '' ? {} : { 'service.version': version }),
  };
}
