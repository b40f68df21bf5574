/**
 * Goal: the API server of these tests is one to Kubernetes' own client, and what the agent knows is what that client knows.
 * Method: an informer of @kubernetes/client-node and the agent's directory on one server, through changes and faults.
 */
import { CoreV1Api, KubeConfig, ListWatch, type V1Pod, Watch } from '@kubernetes/client-node';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { KubernetesDirectory } from '#agent/kubernetes/kubernetes-directory.ts';
import { eventually } from '../../support/eventually.ts';
import { startKubeApi } from '../../support/kube-api-server.ts';
import { nodeName, podObject } from '../../support/kube-objects.ts';

const fieldSelector = `spec.nodeName=${nodeName}`;

test('an informer of the official client and the directory see the same pods', async () => {
  const server = await startKubeApi();
  server.apply(podObject({ name: 'a', uid: 'uid-a' }));
  server.apply(podObject({ name: 'b', uid: 'uid-b' }));
  server.apply(podObject({ name: 'elsewhere', uid: 'uid-e', node: 'kind-worker2' }));

  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${server.port}`, skipTLSVerify: true },
    { name: 'u', token: 'x' },
  );
  const api = config.makeApiClient(CoreV1Api);
  const list = () => api.listPodForAllNamespaces({ fieldSelector });
  const watch = new Watch(config);
  const informer = new ListWatch<V1Pod>('/api/v1/pods', watch, list, false, undefined, fieldSelector);
  informer.on('error', () => void informer.start());
  onTestFinished(() => informer.stop());
  await informer.start();

  const directory = new KubernetesDirectory({
    endpoint: server.endpoint,
    node: nodeName,
    podLabels: ['*'],
    podAnnotations: [],
    namespaceLabels: [],
    nodeLabels: [],
    isServiceFromLabels: true,
    keepDeletedMs: 0,
    hostPath: '/nonexistent',
    log: pino({ level: 'silent' }),
    retry: { msMin: 5, msMax: 20 },
    sweepIntervalMs: 10,
  });
  onTestFinished(() => directory.stop());

  const theirs = (): string[] =>
    informer
      .list()
      .map(({ metadata }) => `${metadata!.uid} ${metadata!.labels!.version ?? ''}`)
      .sort();
  const ours = (): string[] =>
    ['uid-a', 'uid-b', 'uid-c', 'uid-e']
      .map((podUid) => directory.find({ podUid, containerName: 'web' })?.attributes)
      .filter((attributes) => attributes !== undefined)
      .map((attributes) => `${attributes['k8s.pod.uid']} ${attributes['k8s.pod.label.version'] ?? ''}`);
  const both = (pods: string[]) =>
    eventually(
      () => JSON.stringify([theirs(), ours()]) === JSON.stringify([pods, pods]),
      () => [theirs(), ours()],
    );

  await both(['uid-a ', 'uid-b ']);
  await eventually(() => server.watchers === 2);
  server.apply(podObject({ name: 'a', uid: 'uid-a', labels: { version: '2' } }));
  server.delete(podObject({ name: 'b', uid: 'uid-b' }));
  server.apply(podObject({ name: 'c', uid: 'uid-c' }));
  await both(['uid-a 2', 'uid-c ']);
  server.compact();
  await server.dropWatches('end');
  server.apply(podObject({ name: 'a', uid: 'uid-a', labels: { version: '3' } }));
  server.delete(podObject({ name: 'c', uid: 'uid-c' }));
  await both(['uid-a 3']);
  expect(server.count('list', 'pods')).toBeGreaterThanOrEqual(4);
});
