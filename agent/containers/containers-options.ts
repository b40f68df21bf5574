/** Where the agent asks who wrote a log line. */
import { z } from 'zod';
import { countSchema, option } from '#model/config/option.ts';

const modeSchema = z.enum(['auto', 'on', 'off']);
const globsSchema = z.array(z.string().min(1));

export const containersOptions = {
  'containers.keep_deleted_ms': option(
    countSchema,
    600_000,
    'How long a container that is gone is still known: its last lines are read after it.',
  ),
  'containers.host_path': option(
    z.string().startsWith('/'),
    '/',
    "Where the host's root is mounted: for log files inside of containers.",
  ),
  'kubernetes.mode': option(
    modeSchema,
    'auto',
    "Ask the Kubernetes API about this node's pods: on, off, or auto (in a pod with a service account token, or with a kubeconfig).",
  ),
  'kubernetes.kubeconfig': option(z.string(), '', "Kubeconfig file. Empty: the pod's service account."),
  'kubernetes.node': option(
    z.string(),
    '',
    "This node's name in Kubernetes. Empty: NODE_NAME or K8S_NODE_NAME, else agent.node.",
  ),
  'kubernetes.pod_labels': option(
    globsSchema,
    ['*'],
    'Labels of pods that become k8s.pod.label.*: globs, `!` takes out.',
  ),
  'kubernetes.pod_annotations': option(
    globsSchema,
    [],
    'Annotations of pods that become k8s.pod.annotation.*: globs.',
  ),
  'kubernetes.namespace_labels': option(
    globsSchema,
    [],
    'Labels of namespaces that become k8s.namespace.label.*: globs. Needs leave to list and watch namespaces.',
  ),
  'kubernetes.node_labels': option(
    globsSchema,
    [],
    'Labels of this node that become k8s.node.label.*: globs. Needs leave to list and watch nodes.',
  ),
  'kubernetes.is_service_from_labels': option(
    z.boolean(),
    true,
    'Take service.name and service.version from the labels app.kubernetes.io/instance, name and version.',
  ),
  'docker.mode': option(
    modeSchema,
    'auto',
    "Ask Docker's or podman's engine about containers: on, off, or auto (no socket is no problem).",
  ),
  'docker.socket': option(
    z.string().min(1),
    '/var/run/docker.sock',
    "The engine's unix socket, or tcp://host:port.",
  ),
  'docker.labels': option(
    globsSchema,
    ['*', '!com.docker.*', '!desktop.docker.*', '!org.opencontainers.*', '!sonde.*', '!aliyun.*'],
    'Labels of containers that become container.label.*: globs, `!` takes out.',
  ),
};
