/**
 * Objects as the API server of a kind cluster (Kubernetes 1.34, containerd) answers them: whole, with what nobody reads.
 */

export interface KubeObject {
  kind: string;
  apiVersion: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

export const nodeName = 'kind-worker';
const started = '2026-03-04T10:11:12Z';

/** 64 hex digits that begin with `text`, which must be hex. */
export function hexId(text: string): string {
  return text.padEnd(64, '0');
}

export interface PodParts {
  readonly name: string;
  readonly uid: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly owner?: {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly apiVersion?: string;
  };
  readonly containers?: readonly ContainerParts[];
  readonly volumes?: readonly object[];
}

export interface ContainerParts {
  readonly name: string;
  readonly image?: string;
  readonly id?: string;
  readonly previousId?: string;
  readonly restartCount?: number;
  readonly env?: readonly object[];
  readonly volumeMounts?: readonly object[];
}

/** A running pod of a Deployment, where `parts` say nothing else. */
export function podObject(parts: PodParts): KubeObject {
  const {
    name,
    uid,
    namespace = 'shop',
    node = nodeName,
    labels = { app: 'cart', 'app.kubernetes.io/name': 'cart', 'pod-template-hash': '5d9c7b6f4' },
    owner = { kind: 'ReplicaSet', name: 'cart-5d9c7b6f4', uid: 'd1b2c3d4-0000-4000-8000-00000000aaaa' },
    containers = [{ name: 'web', id: hexId('c0ffee'), restartCount: 0 }],
    volumes = [],
  } = parts;
  const token = 'kube-api-access-x7k2p';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      generateName: 'cart-5d9c7b6f4-',
      namespace,
      uid,
      resourceVersion: '0',
      generation: 1,
      creationTimestamp: started,
      labels,
      ...(parts.annotations === undefined ? {} : { annotations: parts.annotations }),
      ownerReferences: [
        { apiVersion: owner.apiVersion ?? 'apps/v1', ...owner, controller: true, blockOwnerDeletion: true },
      ],
      managedFields: managedFields(),
    },
    spec: {
      volumes: [...volumes, tokenVolume(token)],
      containers: containers.map((container) => ({
        name: container.name,
        image: container.image ?? 'registry.example.com:5000/shop/cart:1.4.2',
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        ...(container.env === undefined ? {} : { env: container.env }),
        resources: { limits: { memory: '128Mi' }, requests: { cpu: '50m', memory: '64Mi' } },
        volumeMounts: [
          ...(container.volumeMounts ?? []),
          { name: token, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
        ],
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
      })),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      serviceAccount: 'default',
      nodeName: node,
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: ['not-ready', 'unreachable'].map((condition) => ({
        key: `node.kubernetes.io/${condition}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {
      phase: 'Running',
      conditions: [
        'PodReadyToStartContainers',
        'Initialized',
        'Ready',
        'ContainersReady',
        'PodScheduled',
      ].map((type) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: started })),
      hostIP: '172.18.0.3',
      hostIPs: [{ ip: '172.18.0.3' }],
      podIP: '10.244.1.7',
      podIPs: [{ ip: '10.244.1.7' }],
      startTime: started,
      containerStatuses: containers.map(containerStatus),
      qosClass: 'Burstable',
    },
  };
}

/** The API's copy of a pod that kubelet runs from a file: the uid in its paths is `hash`. */
export function mirrorPodObject(hash: string): KubeObject {
  const pod = podObject({
    name: `kube-apiserver-${nodeName}`,
    namespace: 'kube-system',
    uid: '77777777-0000-4000-8000-000000000001',
    labels: { component: 'kube-apiserver', tier: 'control-plane' },
    annotations: {
      'kubernetes.io/config.hash': hash,
      'kubernetes.io/config.mirror': hash,
      'kubernetes.io/config.seen': '2026-03-04T10:11:10.123456789Z',
      'kubernetes.io/config.source': 'file',
    },
    owner: { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: '99999999-0000-4000-8000-000000000001' },
    containers: [
      { name: 'kube-apiserver', image: 'registry.k8s.io/kube-apiserver:v1.34.0', id: hexId('a91') },
    ],
  });
  return pod;
}

/** A namespace or a node, which has its labels only. */
export function labelledObject(
  kind: 'Namespace' | 'Node',
  name: string,
  labels: Record<string, string>,
): KubeObject {
  return {
    kind,
    apiVersion: 'v1',
    metadata: { name, uid: `uid-of-${name}`, resourceVersion: '0', creationTimestamp: started, labels },
    spec: kind === 'Node' ? { podCIDR: '10.244.1.0/24' } : { finalizers: ['kubernetes'] },
    status: kind === 'Node' ? { nodeInfo: { kubeletVersion: 'v1.34.0' } } : { phase: 'Active' },
  };
}

function containerStatus({ name, image, id, previousId, restartCount = 0 }: ContainerParts): object {
  return {
    name,
    state: { running: { startedAt: started } },
    lastState:
      previousId === undefined
        ? {}
        : {
            terminated: {
              exitCode: 137,
              reason: 'OOMKilled',
              startedAt: started,
              finishedAt: started,
              containerID: `containerd://${previousId}`,
            },
          },
    ready: true,
    restartCount,
    image: image ?? 'registry.example.com:5000/shop/cart:1.4.2',
    imageID: `registry.example.com:5000/shop/cart@sha256:${hexId('beef')}`,
    ...(id === undefined ? {} : { containerID: `containerd://${id}` }),
    started: true,
  };
}

function tokenVolume(name: string): object {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      ],
      defaultMode: 420,
    },
  };
}

/** Half of a pod's bytes in practice. */
function managedFields(): object[] {
  return ['kube-controller-manager', 'kubelet'].map((manager) => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: started,
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {}, 'f:pod-template-hash': {} } },
      'f:spec': {},
    },
  }));
}
