/**
 * Goal: a container is found by all that a log file's path may say of it, and its root by its processes.
 * Method: a server with whole objects; directories that look like /proc of a host.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { startKubeApi } from '../../support/kube-api-server.ts';
import { hexId, mirrorPodObject, nodeName, podObject } from '../../support/kube-objects.ts';
import { follow } from './followed-directory.ts';

const place = { podUid: 'uid-cart', containerName: 'web', restartCount: 0 };

test('containers are found by the pod, by names, by id, and static pods by the hash in their path', async () => {
  const server = await startKubeApi();
  const hash = '0123456789abcdef0123456789abcdef';
  server.apply(
    podObject({
      name: 'cart-0',
      uid: 'uid-cart',
      containers: [{ name: 'web', id: hexId('aa'), previousId: hexId('bb'), restartCount: 4 }],
    }),
  );
  server.apply(mirrorPodObject(hash));
  const { directory } = follow(server);
  await eventually(() => directory.isReady);
  const runOf = (found: ReturnType<typeof directory.find>) => [
    found?.attributes['container.id'],
    found?.attributes['k8s.container.restart_count'],
  ];
  expect(runOf(directory.find({ ...place, restartCount: 4 }))).toEqual([hexId('aa'), 4]);
  expect(runOf(directory.find({ ...place, restartCount: 3 }))).toEqual([hexId('bb'), 3]);
  expect(runOf(directory.find({ ...place, restartCount: 1 }))).toEqual([undefined, 1]);
  expect(runOf(directory.find({ namespace: 'shop', podName: 'cart-0', containerName: 'web' }))).toEqual([
    hexId('aa'),
    4,
  ]);
  expect(runOf(directory.find({ containerId: hexId('bb') }))).toEqual([hexId('bb'), 3]);
  const names = { namespace: 'shop', podName: 'cart-0', containerName: 'web' };
  expect(runOf(directory.find({ ...names, containerId: hexId('bb') }))).toEqual([hexId('bb'), 3]);
  expect(runOf(directory.find({ ...names, containerId: hexId('cc') })), 'an older run').toEqual([
    hexId('cc'),
    undefined,
  ]);
  expect(directory.find({ podUid: hash, containerName: 'kube-apiserver' })?.attributes).toMatchObject({
    'k8s.pod.uid': '77777777-0000-4000-8000-000000000001',
    'service.name': `kube-apiserver-${nodeName}`,
  });
  expect([...directory.all().keys()].sort()).toEqual([hexId('a91'), hexId('aa'), hexId('bb')].sort());
});

test('the root of a container is found by its processes, where a rule asks for files in it', async () => {
  const host = await mkdtemp(join(tmpdir(), 'sonde-host-'));
  onTestFinished(() => rm(host, { recursive: true }));
  const scope = (id: string) =>
    `0::/kubelet.slice/kubelet-kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`;
  const processes = {
    1: '0::/init.scope\n',
    200: scope(hexId('aa')),
    31: scope(hexId('aa')),
    400: scope(hexId('bb')),
  };
  for (const [pid, cgroup] of Object.entries(processes)) {
    await mkdir(join(host, 'proc', pid), { recursive: true });
    await writeFile(join(host, 'proc', pid, 'cgroup'), cgroup);
  }
  const server = await startKubeApi();
  const { directory } = follow(server, { hostPath: host, sweepIntervalMs: 500 });
  const withFiles = { 'sonde.io/files.web': 'a=/opt/app/*.log' };
  const make = (name: string, id: string, annotations = {}) =>
    server.apply(podObject({ name, uid: `uid-${name}`, annotations, containers: [{ name: 'web', id }] }));
  make('with', hexId('aa'), withFiles);
  make('without', hexId('bb'));
  const rootOf = (name: string) => directory.find({ podUid: `uid-${name}`, containerName: 'web' })?.rootPath;
  await eventually(() => rootOf('with') === '/proc/31/root');
  expect(rootOf('without')).toBeUndefined();
  await eventually(() => server.watchers === 1);
  make('without', hexId('bb'), withFiles);
  await eventually(() => rootOf('without') === '/proc/400/root');
  expect(rootOf('with')).toBe('/proc/31/root');
  // A container whose process comes after its id is found at a later look.
  make('late', hexId('cc'), withFiles);
  await eventually(() => directory.find({ podUid: 'uid-late', containerName: 'web' }));
  expect(rootOf('late')).toBeUndefined();
  await mkdir(join(host, 'proc/500'));
  await writeFile(join(host, 'proc/500/cgroup'), scope(hexId('cc')));
  await eventually(() => rootOf('late') === '/proc/500/root');
});
