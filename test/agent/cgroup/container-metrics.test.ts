/**
 * Goal: containers come and go, and each has series that begin and end with it.
 * Method: a tree that changes between and in the middle of readings, with the real loop and a transport that keeps what it
 * is given; then a real cgroup that this machine's kernel makes, with a real process in it.
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { FindContainer } from '#agent/cgroup/container-labels.ts';
import {
  type ContainerMetrics,
  type ContainerMetricsOptions,
  startContainerMetrics,
} from '#agent/cgroup/container-metrics.ts';
import { ContainerReader } from '#agent/cgroup/container-reader.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import { MemoryTransport, until } from '../scrape/memory-transport.ts';
import { HostTree, idOf } from './host-tree.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(
  tree: HostTree,
  options: Partial<ContainerMetricsOptions> = {},
): { containers: ContainerMetrics; transport: MemoryTransport } {
  const transport = new MemoryTransport();
  const containers = startContainerMetrics({
    intervalMs: 20,
    cgroupsMax: 100,
    transport,
    tenant: 'acme',
    node: 'n1',
    procPath: tree.procPath,
    sysPath: tree.sysPath,
    log: pino({ enabled: false }),
    ...options,
  });
  cleanups.push(() => containers.stop({ drainMs: 100 }));
  return { containers, transport };
}

const pathOf = (digit: string): string => `/docker/${idOf(digit)}`;
const usage = (digit: string): string =>
  `container_memory_usage_bytes{id="${pathOf(digit)}",instance="n1",job="cadvisor",name="${idOf(digit)}"}`;

test('a container that is gone ends, and its successor has series of its own', async () => {
  using tree = new HostTree();
  tree.v2('');
  tree.v2(pathOf('a'), { 'memory.current': '700\n' });
  const { containers, transport } = start(tree);
  const sent = (): string[] => transport.scrapes().flat();
  await until(() => sent().includes(`${usage('a')} 700`));
  tree.v2(pathOf('b'), { 'memory.current': '5\n', 'memory.stat': 'inactive_file 2\n' });
  tree.remove(`sys/fs/cgroup${pathOf('a')}`);
  await until(() => sent().includes(`${usage('b')} 5`) && sent().includes(`${usage('a')} stale`));
  await containers.stop();
  const ofA = sent().filter((line) => line.includes(idOf('a')));
  const stale = ofA.filter((line) => line.endsWith(' stale'));
  const series = new Set(ofA.map((line) => line.slice(0, line.lastIndexOf('} '))));
  // Each series of the container ends, and ends once.
  expect(new Set(stale).size).toBe(series.size);
  expect(stale).toHaveLength(series.size);
  expect(sent()).toContain(`${usage('b')} stale`);
  expect(containers.status()).toMatchObject({ skipped: [], lost: { duplicate: 0, refused: 0 } });
});

test('a cgroup that vanishes while it is read gives nothing', async () => {
  using tree = new HostTree();
  tree.v2('');
  for (const digit of ['a', 'b']) tree.v2(pathOf(digit));
  // Asked between the search and the reading of the first.
  const find: FindContainer = (containerId) => {
    const path = `sys/fs/cgroup${pathOf('a')}`;
    if (containerId === idOf('a') && existsSync(join(tree.path, path))) tree.remove(path);
    return undefined;
  };
  const files = new HostFiles({ procPath: tree.procPath, sysPath: tree.sysPath, rootPath: '/' });
  const { samples, skipped } = await new ContainerReader({ files, find, cgroupsMax: 9 }).read(1);
  const ids = new Set(samples.flatMap(({ labels }) => labels.id ?? []));
  expect(ids).toEqual(new Set(['/', pathOf('b')]));
  expect(skipped).toEqual([]);
});

/** Makes a cgroup in each hierarchy below `root`; undefined where the machine does not let us. */
function makeRealCgroup(root: string, path: string): string[] | undefined {
  const hierarchies = existsSync(`${root}/cgroup.controllers`)
    ? [root]
    : ['memory', 'cpu', 'cpuacct', 'cpu,cpuacct', 'blkio', 'pids'].map((name) => `${root}/${name}`);
  const made: string[] = [];
  try {
    for (const hierarchy of hierarchies.filter((directory) => existsSync(directory))) {
      mkdirSync(join(hierarchy, path), { recursive: true });
      made.push(join(hierarchy, path));
    }
  } catch (error) {
    console.warn(`SKIPPED: a real cgroup: ${error}`);
    return undefined;
  } finally {
    // Only empty ones can be taken away.
    cleanups.push(async () => {
      for (const directory of made) {
        await until(() => readdirSync(directory).length > 0 && isRemoved(directory));
        rmdirSync(join(directory, '..'));
      }
    });
  }
  return made.length > 0 ? made : undefined;
}

function isRemoved(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

/** The second is where a machine of version 1 has version 2 beside it, for systemd. */
const realRoots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];

test.each(realRoots)('a real cgroup with a real process in %s', async (root) => {
  const path = `/sonde-test-${process.pid}/${idOf('c')}`;
  const directories = existsSync(root) ? makeRealCgroup(root, path) : undefined;
  if (directories === undefined) {
    console.warn(`SKIPPED: ${root} is no place where this process may make a cgroup`);
    return;
  }
  // It works when it is told to: what it did before it was moved counts elsewhere.
  const work =
    "process.stdin.once('data', () => { const end = Date.now() + 300; while (Date.now() < end); })";
  const child = spawn(process.execPath, ['-e', work], { stdio: ['pipe', 'ignore', 'ignore'] });
  cleanups.push(() => {
    child.kill('SIGKILL');
    return new Promise((resolve) => child.once('close', resolve));
  });
  try {
    for (const directory of directories) writeFileSync(join(directory, 'cgroup.procs'), String(child.pid));
  } catch (error) {
    console.warn(`SKIPPED: ${root} takes no process of ours: ${error}`);
    return;
  }
  child.stdin.write('work');
  const sysPath = mkdtempSync(join(tmpdir(), 'sonde-sys-'));
  cleanups.push(() => rmSync(sysPath, { recursive: true }));
  mkdirSync(join(sysPath, 'fs'));
  symlinkSync(root, join(sysPath, 'fs/cgroup'));
  const files = new HostFiles({ procPath: '/proc', sysPath, rootPath: '/' });
  const reader = new ContainerReader({ files, find: () => undefined, cgroupsMax: 100 });
  const read = async (): Promise<Map<string, number>> => {
    const { samples } = await reader.read(Date.now());
    return new Map(
      samples.filter(({ labels }) => labels.id === path).map(({ metric, value }) => [metric.name, value]),
    );
  };
  await until(async () => ((await read()).get('container_cpu_usage_seconds_total') ?? 0) > 0);
  const values = await read();
  expect(values.get('container_processes')).toBe(1);
  expect(Math.abs(values.get('container_start_time_seconds')! - Date.now() / 1000)).toBeLessThan(60);
  const isVersion2 = existsSync(join(root, 'cgroup.controllers'));
  const hasPressure = isVersion2 && existsSync(join(directories[0]!, 'cpu.pressure'));
  expect(values.has('container_pressure_cpu_waiting_seconds_total')).toBe(hasPressure);
  // It shares our network, which is the host's.
  expect([...values.keys()].filter((name) => name.startsWith('container_network_'))).toEqual([]);
});
