/** Starts the directories of containers that this node has, by the options in containers-options.ts. */
import type { Logger } from 'pino';
import type { OptionValues } from '#model/config/option.ts';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { DockerDirectory } from '../docker/docker-directory.ts';
import { type Environment, inClusterAccess, kubeconfigAccess } from '../kubernetes/cluster-access.ts';
import { KubernetesDirectory } from '../kubernetes/kubernetes-directory.ts';
import type { NodePods } from '../kubernetes/node-pods.ts';
import { CombinedDirectory } from './combined-directory.ts';
import type { ContainerDirectory } from './container-facts.ts';
import type { containersOptions } from './containers-options.ts';
import type { HttpEndpoint } from './http-request.ts';

export interface ContainersStart {
  readonly options: OptionValues<typeof containersOptions>;
  /** agent.node: '' where nobody set it. The host's name is no name of a node in Kubernetes. */
  readonly node: string;
  readonly environment: Environment;
  readonly log: Logger;
  /** Where a pod's service account is mounted. */
  readonly serviceAccountPath?: string;
}

/**
 * Returns a directory that knows nothing yet: isReady says when it does. It never rejects for a server that is down.
 * Throws ConfigError for options that cannot work: a mode `on` without what it needs, a kubeconfig that is none.
 */
export async function startContainers(start: ContainersStart): Promise<CombinedDirectory> {
  const { options, log } = start;
  const directories: ContainerDirectory[] = [];
  const keepDeletedMs = options['containers.keep_deleted_ms'];
  const kubernetes = await kubernetesTarget(start);
  let nodePods: NodePods | undefined;
  if (kubernetes !== undefined) {
    const pods = new KubernetesDirectory({
      ...kubernetes,
      podLabels: options['kubernetes.pod_labels'],
      podAnnotations: options['kubernetes.pod_annotations'],
      namespaceLabels: options['kubernetes.namespace_labels'],
      nodeLabels: options['kubernetes.node_labels'],
      isServiceFromLabels: options['kubernetes.is_service_from_labels'],
      keepDeletedMs,
      hostPath: options['containers.host_path'],
      log,
    });
    directories.push(pods);
    // A kubeconfig may be of another cluster.
    if (options['kubernetes.kubeconfig'] === '') nodePods = pods.nodePods;
  }
  if (options['docker.mode'] !== 'off') {
    try {
      directories.push(
        new DockerDirectory({
          address: options['docker.socket'],
          isRequired: options['docker.mode'] === 'on',
          labels: options['docker.labels'],
          keepDeletedMs,
          log,
        }),
      );
    } catch (error) {
      await Promise.all(directories.map((directory) => directory.stop()));
      throw error;
    }
  }
  return new CombinedDirectory(directories, nodePods);
}

async function kubernetesTarget({
  options,
  node: agentNode,
  environment,
  log,
  serviceAccountPath,
}: ContainersStart): Promise<{ endpoint: HttpEndpoint; node: string } | undefined> {
  const mode = options['kubernetes.mode'];
  if (mode === 'off') return undefined;
  const kubeconfig = options['kubernetes.kubeconfig'];
  const endpoint =
    kubeconfig === ''
      ? await inClusterAccess(environment, serviceAccountPath)
      : await kubeconfigAccess(kubeconfig);
  if (endpoint === undefined) {
    if (mode === 'auto') return undefined;
    throw new ConfigError(
      'agent.kubernetes.mode is on, but there is no service account token in this pod: set automountServiceAccountToken, or agent.kubernetes.kubeconfig',
    );
  }
  const node = options['kubernetes.node'] || environment.NODE_NAME || environment.K8S_NODE_NAME || agentNode;
  if (node !== '') return { endpoint, node };
  const error = new ConfigError(
    "Kubernetes is asked for one node's pods, and nothing says which: set agent.kubernetes.node, or NODE_NAME from spec.nodeName",
  );
  if (mode === 'on') throw error;
  // A pod that was given a token for other reasons still collects its logs.
  log.warn({ reason: errorMessage(error) }, 'Kubernetes is not asked about containers');
  return undefined;
}
