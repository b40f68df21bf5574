/**
 * Goal: a container of a pod has the attributes that OpenTelemetry's conventions give it.
 * Method: whole objects of the API, checked against its schema first, and tables of what differs.
 */
import { Pod } from 'kubernetes-models/v1/Pod';
import { expect, test } from 'vitest';
import { compileNameGlobs } from '#agent/containers/label-globs.ts';
import { PodCache } from '#agent/kubernetes/pod-cache.ts';
import { readPod } from '#agent/kubernetes/pod-record.ts';
import {
  hexId,
  type KubeObject,
  mirrorPodObject,
  type PodParts,
  podObject,
} from '../../support/kube-objects.ts';

interface Choice {
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
  readonly isServiceFromLabels?: boolean;
}

function factsOf(
  object: KubeObject,
  { labels = ['*'], annotations = [], isServiceFromLabels = true }: Choice = {},
) {
  const cache = new PodCache({
    choice: {
      podLabel: compileNameGlobs(labels),
      podAnnotation: compileNameGlobs(annotations),
      isServiceFromLabels,
    },
    keepDeletedMs: 1000,
    rootOf: () => undefined,
    surroundings: () => ({}),
    now: () => 0,
  });
  return cache.upsert(readPod(object, () => true))[0]!;
}

const pod = (parts: Partial<PodParts>) =>
  podObject({ name: 'cart-5d9c7b6f4-abcde', uid: 'uid-cart', ...parts });
const attributesOf = (parts: Partial<PodParts>, choice?: Choice) => factsOf(pod(parts), choice).attributes;

test('the objects of these tests are what the API allows', () => {
  for (const object of [pod({}), mirrorPodObject('0123456789abcdef')]) new Pod(object as never).validate();
});

test('a pod of a Deployment', () => {
  const containers = [{ name: 'web', id: hexId('c0ffee'), restartCount: 2 }];
  expect(attributesOf({ containers, annotations: { 'kubectl.kubernetes.io/restartedAt': 'x' } })).toEqual({
    'k8s.namespace.name': 'shop',
    'k8s.pod.name': 'cart-5d9c7b6f4-abcde',
    'k8s.pod.uid': 'uid-cart',
    'k8s.pod.qos_class': 'Burstable',
    'k8s.pod.label.app': 'cart',
    'k8s.pod.label.app.kubernetes.io/name': 'cart',
    'k8s.pod.label.pod-template-hash': '5d9c7b6f4',
    'k8s.container.name': 'web',
    'k8s.container.restart_count': 2,
    'k8s.node.name': 'kind-worker',
    'k8s.deployment.name': 'cart',
    'k8s.replicaset.name': 'cart-5d9c7b6f4',
    'k8s.replicaset.uid': 'd1b2c3d4-0000-4000-8000-00000000aaaa',
    'container.id': hexId('c0ffee'),
    'container.runtime.name': 'containerd',
    'container.image.name': 'registry.example.com:5000/shop/cart',
    'container.image.tags': '1.4.2',
    'container.image.repo_digests': `registry.example.com:5000/shop/cart@sha256:${hexId('beef')}`,
    'service.name': 'cart',
    'service.namespace': 'shop',
    'service.version': '1.4.2',
    'service.instance.id': 'shop.cart-5d9c7b6f4-abcde.web',
  });
});

const uid = 'uid-owner';
test.each<[string, PodParts['owner'] & object, Record<string, string>, Record<string, string>]>([
  [
    'a StatefulSet',
    { kind: 'StatefulSet', name: 'db', uid },
    {},
    { 'k8s.statefulset.name': 'db', 'k8s.statefulset.uid': uid },
  ],
  [
    'a DaemonSet',
    { kind: 'DaemonSet', name: 'agent', uid },
    {},
    { 'k8s.daemonset.name': 'agent', 'k8s.daemonset.uid': uid },
  ],
  [
    'a Job',
    { kind: 'Job', name: 'import-2024', uid },
    {},
    { 'k8s.job.name': 'import-2024', 'k8s.job.uid': uid },
  ],
  [
    'a CronJob',
    { kind: 'Job', name: 'nightly-backup-29384710', uid },
    {},
    { 'k8s.cronjob.name': 'nightly-backup', 'k8s.job.name': 'nightly-backup-29384710', 'k8s.job.uid': uid },
  ],
  [
    'a ReplicaSet of nobody',
    { kind: 'ReplicaSet', name: 'cart', uid },
    {},
    { 'k8s.replicaset.name': 'cart', 'k8s.replicaset.uid': uid },
  ],
  [
    'a ReplicaSet with another hash',
    { kind: 'ReplicaSet', name: 'cart-abc', uid },
    { 'pod-template-hash': 'def' },
    { 'k8s.replicaset.name': 'cart-abc', 'k8s.replicaset.uid': uid },
  ],
  [
    'a ReplicationController',
    { kind: 'ReplicationController', name: 'old', uid },
    {},
    { 'k8s.replicationcontroller.name': 'old', 'k8s.replicationcontroller.uid': uid },
  ],
  ['a custom resource', { kind: 'Workflow', name: 'w', uid }, {}, {}],
])('the workload of %s', (_name, owner, labels, workload) => {
  const found = Object.entries(attributesOf({ owner, labels })).filter(([name]) =>
    /^k8s\.(deployment|replicaset|statefulset|daemonset|job|cronjob|replicationcontroller)\./.test(name),
  );
  expect(Object.fromEntries(found)).toEqual(workload);
});

const instance = {
  'app.kubernetes.io/instance': 'cart-eu',
  'app.kubernetes.io/name': 'cart',
  'app.kubernetes.io/version': '2.0',
};
const resource = (name: string) => `resource.opentelemetry.io/${name}`;
test.each<[string, Partial<PodParts>, Choice | undefined, Record<string, string | undefined>]>([
  [
    'an annotation',
    {
      labels: instance,
      annotations: {
        [resource('service.name')]: 'basket',
        [resource('k8s.pod.uid')]: 'forged',
        [resource('service.version')]: '9',
        [resource('service.namespace')]: 'ns',
        [resource('service.instance.id')]: 'i',
        [resource('deployment.environment.name')]: 'prod',
      },
    },
    undefined,
    {
      'service.name': 'basket',
      'service.version': '9',
      'service.namespace': 'ns',
      'service.instance.id': 'i',
      'deployment.environment.name': 'prod',
      'k8s.pod.uid': 'uid-cart',
    },
  ],
  ['the instance', { labels: instance }, undefined, { 'service.name': 'cart-eu', 'service.version': '2.0' }],
  [
    'the name',
    { labels: { 'app.kubernetes.io/name': 'cart' } },
    undefined,
    { 'service.name': 'cart', 'service.version': '1.4.2' },
  ],
  [
    'no labels, as asked',
    {
      labels: { ...instance, 'pod-template-hash': '5d9c7b6f4' },
      owner: { kind: 'ReplicaSet', name: 'basket-5d9c7b6f4', uid },
    },
    { isServiceFromLabels: false },
    { 'service.name': 'basket', 'service.version': '1.4.2' },
  ],
  [
    'the Deployment',
    { labels: { 'pod-template-hash': 'x1' }, owner: { kind: 'ReplicaSet', name: 'basket-x1', uid } },
    undefined,
    { 'service.name': 'basket' },
  ],
  [
    'the ReplicaSet',
    { labels: {}, owner: { kind: 'ReplicaSet', name: 'rs', uid } },
    undefined,
    { 'service.name': 'rs' },
  ],
  [
    'the CronJob',
    { labels: {}, owner: { kind: 'Job', name: 'backup-29384710', uid } },
    undefined,
    { 'service.name': 'backup' },
  ],
  [
    'the pod',
    { labels: {}, owner: { kind: 'Workflow', name: 'w', uid } },
    undefined,
    { 'service.name': 'cart-5d9c7b6f4-abcde' },
  ],
  [
    'tag and digest',
    { labels: {}, containers: [{ name: 'a', image: `x:1@sha256:${hexId('12')}` }] },
    undefined,
    { 'service.version': `1@sha256:${hexId('12')}`, 'container.id': undefined },
  ],
  [
    'an image without a tag',
    { labels: {}, containers: [{ name: 'a', image: 'x' }] },
    undefined,
    { 'service.version': undefined, 'container.image.tags': undefined },
  ],
])('the service is named by %s', (_name, parts, choice, expected) => {
  const attributes = attributesOf(parts, choice);
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, attributes[key]]))).toEqual(expected);
});

test('labels and annotations are chosen by globs, and an annotation that is too long is named', () => {
  const facts = factsOf(
    pod({ annotations: { 'a.io/x': '1', 'a.io/long': 'x'.repeat(5000), 'b.io/y': '2' } }),
    {
      labels: ['app*', '!*/name'],
      annotations: ['a.io/*'],
    },
  );
  const chosen = Object.keys(facts.attributes).filter((name) => /\.(label|annotation)\./.test(name));
  expect(chosen).toEqual(['k8s.pod.label.app', 'k8s.pod.annotation.a.io/x']);
  expect(facts.rules.problems).toEqual(['a.io/long: its 5000 characters are over 4096: it is no attribute']);
});

test('rules, stores and tags of a container are its own', () => {
  const facts = factsOf(
    pod({
      annotations: { 'sonde.io/rate-limit': '1KiB', 'sonde.io/tags': 'team=checkout,k8s.pod.name=forged' },
      containers: [
        {
          name: 'web',
          env: [
            { name: 'aliyun_logs_front', value: 'stdout' },
            { name: 'aliyun_logs_x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
        },
        { name: 'proxy' },
      ],
    }),
  );
  expect(facts.rules).toMatchObject({ store: 'front', rateLimitBytes: 1024 });
  expect(facts.attributes).toMatchObject({
    'sonde.store': 'front',
    team: 'checkout',
    'k8s.pod.name': 'cart-5d9c7b6f4-abcde',
  });
});

test('mounts are where kubelet puts them, of a static pod by its hash', () => {
  const containers = [
    {
      name: 'web',
      volumeMounts: [
        { name: 'scratch', mountPath: '/tmp/logs' },
        { name: 'scratch', mountPath: '/sub', subPath: 'a/b' },
        { name: 'scratch', mountPath: '/expr', subPathExpr: '$(POD_NAME)' },
        { name: 'host', mountPath: '/var/log/host' },
        { name: 'host', mountPath: '/up', subPath: '../etc' },
        { name: 'claim', mountPath: '/data' },
      ],
    },
  ];
  const volumes = [
    { name: 'scratch', emptyDir: {} },
    { name: 'host', hostPath: { path: '/srv/log', type: '' } },
    { name: 'claim', persistentVolumeClaim: { claimName: 'data' } },
  ];
  const scratch = '/var/lib/kubelet/pods/uid-cart/volumes/kubernetes.io~empty-dir/scratch';
  expect(factsOf(pod({ containers, volumes })).mounts.slice(0, 6)).toEqual([
    { source: scratch, target: '/tmp/logs' },
    { source: `${scratch}/a/b`, target: '/sub' },
    { source: '', target: '/expr' },
    { source: '/srv/log', target: '/var/log/host' },
    { source: '', target: '/up' },
    { source: '', target: '/data' },
  ]);
  const mirrored = pod({ containers, volumes, annotations: { 'kubernetes.io/config.mirror': 'hash' } });
  expect(factsOf(mirrored).mounts[0]!.source).toBe(scratch.replace('uid-cart', 'hash'));
});

test.each([
  ['no object', null, 'a pod is not as expected: Invalid input'],
  ['no metadata', {}, 'metadata: Invalid input'],
  [
    'a label that is no text',
    { metadata: { uid: 'u', name: 'n', namespace: 's', labels: { a: 1 } }, spec: {} },
    'metadata.labels.a: Invalid input',
  ],
])('%s is an error that names the field', (_name, object, problem) =>
  expect(() => readPod(object, () => true)).toThrow(problem),
);

test('a pod that has only been scheduled is known', () => {
  const object = { metadata: { uid: 'u', name: 'n', namespace: 's' }, spec: { containers: [{ name: 'c' }] } };
  expect(readPod(object, () => true)).toMatchObject({
    uid: 'u',
    node: '',
    containers: [{ name: 'c', id: '' }],
  });
});
