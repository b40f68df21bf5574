/**
 * Goal: containers' numbers have cAdvisor's names and labels, in both layouts, and nobody is counted twice unseen.
 * Method: trees of files as kernels have them, read once; the samples as text.
 */
import { expect, test } from 'vitest';
import type { FindContainer } from '#agent/cgroup/container-labels.ts';
import { ContainerReader } from '#agent/cgroup/container-reader.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import type { Reading } from '#agent/host/reading-loop.ts';
import { HostTree, idOf } from './host-tree.ts';

const uid = '0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0';
const qos = '/kubepods.slice/kubepods-burstable.slice';
const pod = `${qos}/kubepods-burstable-pod${uid}.slice`;
const app = `${pod}/cri-containerd-${idOf('a')}.scope`;
const pause = `${pod}/cri-containerd-${idOf('b')}.scope`;
const compose = `/system.slice/docker-${idOf('d')}.scope`;

const facts: Record<string, Record<string, string>> = {
  [idOf('a')]: {
    'k8s.namespace.name': 'shop',
    'k8s.pod.name': 'cart-7d9f',
    'k8s.container.name': 'cart',
    'container.image.name': 'registry:5000/shop/cart',
    'container.image.tags': '1.2',
  },
  [idOf('d')]: {
    'container.name': 'web-1',
    'container.image.name': 'nginx:1.27',
    'container.label.com.docker.compose.service': 'web',
  },
};
const find: FindContainer = (containerId) => {
  const attributes = facts[containerId];
  return attributes && ({ attributes } as ReturnType<FindContainer>);
};

function reader(tree: HostTree, cgroupsMax = 100): ContainerReader {
  const files = new HostFiles({ procPath: tree.procPath, sysPath: tree.sysPath, rootPath: '/' });
  return new ContainerReader({ files, find, cgroupsMax });
}

const readOnce = (tree: HostTree, cgroupsMax?: number): Promise<Reading> =>
  reader(tree, cgroupsMax).read(1_700_001_000_000);

/** The samples of one cgroup without the labels that all of them share, sorted. */
function of({ samples }: Reading, id: string): string[] {
  const common = /^(?:id|name|image|namespace|pod|container|container_label_.*)$/;
  return samples
    .filter(({ labels }) => labels.id === id)
    .map(({ metric, labels, value }) => {
      const own = Object.entries(labels).filter(([name]) => !common.test(name));
      return `${metric.name.replace('container_', '')}{${own.map(([name, text]) => `${name}=${text}`)}} ${value}`;
    })
    .sort();
}

const labelsOf = ({ samples }: Reading, id: string): unknown =>
  samples.find(({ labels, metric }) => labels.id === id && metric.name === 'container_last_seen')?.labels;

function kubernetes(): HostTree {
  const tree = new HostTree();
  for (const path of ['', '/kubepods.slice', qos, pod, '/system.slice', '/system.slice/cron.service'])
    tree.v2(path);
  tree.v2(app, { 'cgroup.procs': '100\n101\n' });
  tree.v2(pause, { 'cgroup.procs': '90\n', 'cpu.max': 'max 100000\n' });
  tree.v2(compose, { 'cgroup.procs': '200\n' });
  tree.process(90, 'pause', { startTicks: 5_000, network: 'pod' });
  tree.process(100, 'cart', { startTicks: 6_050, network: 'pod' });
  tree.process(200, 'nginx', { startTicks: 7_000, network: 'compose' });
  return tree;
}

test('a container in version 2 has all of its numbers', async () => {
  using tree = kubernetes();
  const reading = await readOnce(tree);
  expect(reading.skipped).toEqual([]);
  expect(labelsOf(reading, app)).toEqual({
    id: app,
    name: idOf('a'),
    image: 'registry:5000/shop/cart:1.2',
    namespace: 'shop',
    pod: 'cart-7d9f',
    container: 'cart',
  });
  expect(of(reading, app)).toEqual([
    'blkio_device_usage_total{device=/dev/nvme0n1,major=259,minor=0,operation=Read} 1048576',
    'blkio_device_usage_total{device=/dev/nvme0n1,major=259,minor=0,operation=Write} 2097152',
    'blkio_device_usage_total{device=8:16,major=8,minor=16,operation=Read} 4096',
    'blkio_device_usage_total{device=8:16,major=8,minor=16,operation=Write} 0',
    'cpu_cfs_periods_total{} 40',
    'cpu_cfs_throttled_periods_total{} 7',
    'cpu_cfs_throttled_seconds_total{} 0.35',
    'cpu_system_seconds_total{} 1',
    'cpu_usage_seconds_total{cpu=total} 2.5',
    'cpu_user_seconds_total{} 1.5',
    'fs_reads_bytes_total{device=/dev/nvme0n1} 1048576',
    'fs_reads_bytes_total{device=8:16} 4096',
    'fs_reads_total{device=/dev/nvme0n1} 16',
    'fs_reads_total{device=8:16} 1',
    'fs_writes_bytes_total{device=/dev/nvme0n1} 2097152',
    'fs_writes_bytes_total{device=8:16} 0',
    'fs_writes_total{device=/dev/nvme0n1} 32',
    'fs_writes_total{device=8:16} 0',
    'last_seen{} 1700001000',
    'memory_cache{} 41943040',
    'memory_failcnt{} 12',
    'memory_failures_total{scope=container,failure_type=pgfault} 1000',
    'memory_failures_total{scope=container,failure_type=pgmajfault} 10',
    'memory_failures_total{scope=hierarchy,failure_type=pgfault} 1000',
    'memory_failures_total{scope=hierarchy,failure_type=pgmajfault} 10',
    'memory_kernel_usage{} 2097152',
    'memory_mapped_file{} 8388608',
    'memory_max_usage_bytes{} 209715200',
    'memory_rss{} 52428800',
    'memory_swap{} 4096',
    'memory_total_active_file_bytes{} 16777216',
    'memory_total_inactive_file_bytes{} 20971520',
    'memory_usage_bytes{} 104857600',
    'memory_working_set_bytes{} 83886080',
    'oom_events_total{} 1',
    'pressure_cpu_stalled_seconds_total{} 0.5',
    'pressure_cpu_waiting_seconds_total{} 1.5',
    'pressure_io_stalled_seconds_total{} 0.000005',
    'pressure_io_waiting_seconds_total{} 0.00001',
    'pressure_memory_stalled_seconds_total{} 0.125',
    'pressure_memory_waiting_seconds_total{} 0.25',
    'processes{} 2',
    'spec_cpu_period{} 100000',
    'spec_cpu_quota{} 50000',
    'spec_cpu_shares{} 500',
    'spec_memory_limit_bytes{} 268435456',
    'spec_memory_reservation_limit_bytes{} 0',
    'spec_memory_swap_limit_bytes{} 0',
    'start_time_seconds{} 1700000060.5',
    'threads_max{} 0',
    'threads{} 5',
  ]);
});

test('the pause container has its pod network, and a container without a pod has its own', async () => {
  using tree = kubernetes();
  const reading = await readOnce(tree);
  const network = (id: string): string[] => of(reading, id).filter((line) => line.startsWith('network_'));
  expect(network(pause)).toEqual([
    'network_receive_bytes_total{interface=eth0} 300',
    'network_receive_errors_total{interface=eth0} 3',
    'network_receive_packets_dropped_total{interface=eth0} 4',
    'network_receive_packets_total{interface=eth0} 2',
    'network_transmit_bytes_total{interface=eth0} 301',
    'network_transmit_errors_total{interface=eth0} 7',
    'network_transmit_packets_dropped_total{interface=eth0} 8',
    'network_transmit_packets_total{interface=eth0} 6',
  ]);
  expect(network(app)).toEqual([]);
  expect(network(pod)).toEqual([]);
  expect(network(compose)[0]).toBe('network_receive_bytes_total{interface=eth0} 700');
  expect(network('/')[0]).toBe('network_receive_bytes_total{interface=eth0} 400');
  expect(labelsOf(reading, pause)).toEqual({
    id: pause,
    name: idOf('b'),
    namespace: 'shop',
    pod: 'cart-7d9f',
    container: 'POD',
  });
  expect(labelsOf(reading, compose)).toEqual({
    id: compose,
    name: 'web-1',
    image: 'nginx:1.27',
    container_label_com_docker_compose_service: 'web',
  });
  // Without a quota there is nothing to be throttled by.
  expect(of(reading, pause).filter((line) => /cfs|quota/.test(line))).toEqual([]);
});

test('pods, slices and the root are there with their id, other services are not', async () => {
  using tree = kubernetes();
  const reading = await readOnce(tree);
  expect(labelsOf(reading, pod)).toEqual({ id: pod, namespace: 'shop', pod: 'cart-7d9f' });
  expect(labelsOf(reading, qos)).toEqual({ id: qos });
  expect(of(reading, '/')).toEqual(
    expect.arrayContaining(['memory_usage_bytes{} 614400', 'start_time_seconds{} 1700000000']),
  );
  const ids = new Set(reading.samples.flatMap(({ labels }) => labels.id ?? []));
  expect(ids).toEqual(new Set(['/', '/kubepods.slice', qos, pod, app, pause, compose]));
});

test('without a pause container the pod has the network; on the host network nobody has', async () => {
  using tree = new HostTree();
  const scope = `${pod}/crio-${idOf('a')}.scope`;
  for (const path of ['', '/kubepods.slice', qos, pod, scope]) tree.v2(path);
  // CRI-O's processes are one level below.
  tree.v2(`${scope}/container`, { 'cgroup.procs': '100\n' });
  tree.process(100, 'cart', { startTicks: 1, network: 'pod' });
  const network = async (): Promise<string[]> => {
    const reading = await readOnce(tree);
    return reading.samples.flatMap(({ metric, labels }) =>
      metric.name === 'container_network_receive_bytes_total' && labels.id !== '/' ? [labels.id!] : [],
    );
  };
  expect(await network()).toEqual([pod]);
  tree.remove('proc/100');
  tree.process(100, 'cart', { startTicks: 1, network: 'host' });
  expect(await network()).toEqual([]);
  // Without the right to see name spaces, devices and routes tell.
  tree.remove('proc/1/ns');
  expect(await network()).toEqual([]);
  tree.write('proc/1/net/route', 'Iface\tDestination\nbr0\t0000A8C0\n');
  expect(await network()).toEqual([pod]);
});

test('version 1 gives the same numbers, but for pressure', async () => {
  using tree = new HostTree();
  const id = `/docker/${idOf('d')}`;
  for (const path of ['', '/docker']) tree.v1(path, []);
  tree.v1(id, [200]);
  tree.process(200, 'nginx', { startTicks: 7_000, network: 'compose' });
  const v1 = await readOnce(tree);
  expect(v1.skipped).toEqual([]);
  using other = kubernetes();
  const v2 = of(await readOnce(other), compose);
  const differs = /pressure|8:16|spec_cpu_shares|scope=container/;
  expect(of(v1, id).filter((line) => !differs.test(line))).toEqual(v2.filter((line) => !differs.test(line)));
  expect(of(v1, id).filter((line) => differs.test(line))).toEqual([
    'memory_failures_total{scope=container,failure_type=pgfault} 900',
    'memory_failures_total{scope=container,failure_type=pgmajfault} 9',
    'spec_cpu_shares{} 512',
  ]);
});

test('controllers that are off and files of old kernels leave their numbers out', async () => {
  using tree = new HostTree();
  tree.v2('');
  const all = [
    'cpu.max',
    'cpu.weight',
    'cpu.pressure',
    'memory.pressure',
    'io.pressure',
    'io.stat',
    'memory.peak',
  ];
  const without = [...all, 'memory.current', 'memory.max', 'memory.low', 'memory.stat', 'memory.events'];
  const rest = ['memory.swap.current', 'memory.swap.max', 'pids.current', 'pids.max'];
  tree.v2(compose, {
    ...Object.fromEntries([...without, ...rest].map((name) => [name, '-'])),
    'cpu.stat': 'usage_usec 5\nuser_usec 4\nsystem_usec 1\n',
  });
  const lines = of(await readOnce(tree), compose).map((line) => line.replace(/\{.*/, ''));
  expect(lines).toEqual([
    'cpu_system_seconds_total',
    'cpu_usage_seconds_total',
    'cpu_user_seconds_total',
    'last_seen',
    'processes',
    'start_time_seconds',
  ]);
});

test('more cgroups than the bound are left out, and said', async () => {
  using tree = kubernetes();
  const { samples, skipped, leftOut } = await readOnce(tree, 5);
  expect(new Set(samples.flatMap(({ labels }) => labels.id ?? [])).size).toBe(5);
  expect(skipped).toEqual([
    `${tree.sysPath}/fs/cgroup: more than 5 cgroups (containers.cgroups_max), the others are left out`,
  ]);
  expect(leftOut).toBe(2);
});

test('a host without cgroups says so', async () => {
  using tree = new HostTree();
  const { samples, skipped } = await readOnce(tree);
  expect(samples).toEqual([]);
  expect(skipped).toEqual([`${tree.sysPath}/fs/cgroup: no cgroups of version 1 or 2 are mounted here`]);
});

test("a container's view of its own cgroup is not taken for the host", async () => {
  using tree = new HostTree();
  tree.v2('', { 'cgroup.type': 'domain\n' });
  const { samples, skipped } = await readOnce(tree);
  expect(samples).toEqual([]);
  expect(skipped).toEqual([
    `${tree.sysPath}/fs/cgroup: this is the agent's own cgroup, with no containers in it, and not the host's`,
  ]);
  // A node that is a container itself (kind, k3d) has pods in its cgroup.
  tree.v2(compose);
  const nested = await readOnce(tree);
  expect(of(nested, '/')).toContain('memory_usage_bytes{} 104857600');
  expect(of(nested, compose)).toContain('memory_usage_bytes{} 104857600');
});

test('two containers that share a network report it once; invisible processes are counted, and said', async () => {
  using tree = kubernetes();
  const sidecar = `/docker/${idOf('e')}`;
  tree.v2(sidecar, { 'cgroup.procs': '300\n' });
  tree.process(300, 'proxy', { startTicks: 1, network: 'compose' });
  const reading = await readOnce(tree);
  const owners = reading.samples.filter(
    ({ metric, labels }) =>
      metric.name === 'container_network_receive_bytes_total' && [sidecar, compose].includes(labels.id!),
  );
  expect(owners).toHaveLength(1);
  tree.v2(sidecar, { 'cgroup.procs': '0\n0\n' });
  const blind = await readOnce(tree);
  expect(of(blind, sidecar)).toContain('processes{} 2');
  expect(blind.skipped).toEqual([expect.stringContaining('are in another PID name space')]);
});

test('the machine has its size', async () => {
  using tree = new HostTree();
  tree.v2('');
  tree.write('proc/stat', 'cpu  1 2\ncpu0 1 2\ncpu1 1 2\nbtime 1\n');
  const { samples } = await readOnce(tree);
  const machine = samples.filter(({ metric }) => metric.name.startsWith('machine_'));
  expect(machine.map(({ metric, value }) => `${metric.name} ${value}`)).toEqual([
    'machine_cpu_cores 2',
    'machine_memory_bytes 1024000',
  ]);
});

test('a container that starts again under its id has a new start time', async () => {
  using tree = kubernetes();
  const containers = reader(tree);
  const start = async (): Promise<string | undefined> =>
    of(await containers.read(1_700_001_000_000), compose).find((line) => line.startsWith('start_time'));
  expect(await start()).toBe('start_time_seconds{} 1700000070');
  tree.process(300, 'nginx', { startTicks: 90_000, network: 'compose' });
  tree.v2(compose, { 'cgroup.procs': '300\n' });
  expect(await start()).toBe('start_time_seconds{} 1700000900');
});
