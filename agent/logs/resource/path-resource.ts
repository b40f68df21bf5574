/**
 * What a log file's path says about who wrote it, in OpenTelemetry's names (semantic conventions: k8s, container,
 * log.file).
 *
 *   /var/log/pods/shop_cart-5d9_0f1e/web/3.log  ->  service.name web, k8s.namespace.name shop, k8s.pod.name cart-5d9, ...
 */
import { basename } from 'node:path';
import type { AttributeValue } from '#wire/otlp/key-values.ts';
import type { ContainerPlace } from '../../containers/container-facts.ts';

export type LogResource = Readonly<Record<string, AttributeValue>>;

// pod log => .../pods/<namespace>_<pod>_<uid>/<container>/<restart count>.log[.<rotated at>]
const podPath = /\/pods\/([^/_]+)_([^/_]+)_([^/_]+)\/([^/]+)\/(\d{1,9})\.log[^/]*$/;
// links of the kubelet => .../containers/<pod>_<namespace>_<container>-<id>.log
const linkPath = /\/containers\/([^/_]+)_([^/_]+)_([^/]+)-([0-9a-f]{64})\.log$/;
// docker log => .../containers/<id>/<id>-json.log[.<n>]
const dockerPath = /\/containers\/([0-9a-f]{64})\/\1-json\.log[^/]*$/;

/** Docker prints this much of a container's id. */
const shortIdLength = 12;

/** The id of the container whose json-file log this is, or undefined for other paths. */
export function dockerContainerId(path: string): string | undefined {
  return dockerPath.exec(path)?.[1];
}

/** What the path says of the container that writes the file; undefined for files of no container. */
export function containerPlace(path: string): ContainerPlace | undefined {
  const pod = podPath.exec(path);
  if (pod !== null) {
    const [, namespace, podName, podUid, containerName, restarts] = pod as unknown as string[];
    return { namespace, podName, podUid, containerName, restartCount: Number(restarts) };
  }
  const link = linkPath.exec(path);
  if (link !== null) {
    const [, podName, namespace, containerName, containerId] = link as unknown as string[];
    return { namespace, podName, containerName, containerId };
  }
  const containerId = dockerContainerId(path);
  return containerId === undefined ? undefined : { containerId };
}

/**
 * Returns the resource of the file at `path`. `node` becomes host.name; `containerName` is what the runtime calls the
 * container, where the path does not say.
 */
export function pathResource(path: string, node: string, containerName?: string): LogResource {
  const pod = podPath.exec(path);
  if (pod !== null) {
    const [, namespace, name, uid, container, restarts] = pod as unknown as string[];
    return {
      'service.name': container,
      'k8s.namespace.name': namespace,
      'k8s.pod.name': name,
      'k8s.pod.uid': uid,
      'k8s.container.name': container,
      'k8s.container.restart_count': Number(restarts),
      'host.name': node,
    };
  }
  const link = linkPath.exec(path);
  if (link !== null) {
    const [, name, namespace, container, id] = link as unknown as string[];
    return {
      'service.name': container,
      'k8s.namespace.name': namespace,
      'k8s.pod.name': name,
      'k8s.container.name': container,
      'container.id': id,
      'host.name': node,
    };
  }
  const id = dockerContainerId(path);
  if (id !== undefined) {
    const named = containerName === undefined ? {} : { 'container.name': containerName };
    const service = containerName ?? id.slice(0, shortIdLength);
    return { 'service.name': service, 'container.id': id, ...named, 'host.name': node };
  }
  const file = basename(path);
  // 'app.log' and the rotated 'app.log.1' are one service.
  const service = file.replace(/\.log(\..*)?$/, '');
  return {
    'service.name': service === '' ? file : service,
    'log.file.name': file,
    'log.file.path': path,
    'host.name': node,
  };
}
