/**
 * What reading this host, and a node full of containers, costs the agent: CPU for each reading, samples included, up to
 * the bytes of the remote write request.
 *
 *   node bench/agent-host.ts [--readings 50] [--pods 110] [--containers 3]
 *
 * The host is this machine. The containers are a tree of cgroup files of version 2 in the temporary
 * directory: pods with a pause container and others, as a full Kubernetes node has them.
 */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ContainerReader } from '#agent/cgroup/container-reader.ts';
import { chosenCollectors } from '#agent/host/collector-table.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import { HostReader } from '#agent/host/host-reading.ts';
import type { HostSample } from '#agent/host/host-sample.ts';
import type { Reading } from '#agent/host/reading-loop.ts';
import { SampleShipper } from '#agent/host/sample-shipper.ts';
import { HostTree } from '#test/agent/cgroup/host-tree.ts';
import type { Transport } from '#wire/envelope.ts';

const { values } = parseArgs({
  options: {
    readings: { type: 'string', default: '50' },
    pods: { type: 'string', default: '110' },
    containers: { type: 'string', default: '3' },
  },
});
const readings = Number(values.readings);
const warmups = 10;
const intervalSeconds = 15;

/** Takes everything at once. */
const transport: Transport = {
  send: async () => ({ rejected: 0, reason: '' }),
  state: () => 'ok',
  close: async () => {},
};

async function measure(title: string, read: (nowMs: number) => Promise<Reading>): Promise<void> {
  const log = pino({ enabled: false });
  const shipper = new SampleShipper({ transport, tenant: 'default', job: 'bench', node: 'n1', log });
  let samples: readonly HostSample[] = [];
  let readMs = 0;
  let shipMs = 0;
  let start = process.cpuUsage();
  for (let i = 0; i < warmups + readings; i++) {
    if (i === warmups) {
      start = process.cpuUsage();
      readMs = 0;
      shipMs = 0;
    }
    const begin = performance.now();
    ({ samples } = await read(1_700_000_000_000 + i * 1000));
    const middle = performance.now();
    await shipper.ship(samples, 1_700_000_000_000 + i * 1000);
    readMs += middle - begin;
    shipMs += performance.now() - middle;
  }
  const { user, system } = process.cpuUsage(start);
  const cpuMs = (user + system) / 1000 / readings;
  console.log(
    `${title}: ${samples.length} samples, ${cpuMs.toFixed(2)} ms of CPU a reading (${(system / 1000 / readings).toFixed(2)} in the kernel); ` +
      `read ${(readMs / readings).toFixed(2)} ms, shipped ${(shipMs / readings).toFixed(2)} ms; ` +
      `${((cpuMs / intervalSeconds / 1000) * 100).toFixed(3)} % of a core every ${intervalSeconds} s`,
  );
}

function fullNode(tree: HostTree): void {
  const qos = '/kubepods.slice/kubepods-burstable.slice';
  for (const path of ['', '/kubepods.slice', qos]) tree.v2(path);
  let pid = 1000;
  for (let pod = 0; pod < Number(values.pods); pod++) {
    const slice = `${qos}/kubepods-burstable-pod${pod.toString(16).padStart(32, '0')}.slice`;
    tree.v2(slice);
    for (let container = 0; container <= Number(values.containers); container++) {
      const id = (pod * 100 + container).toString(16).padStart(64, '0');
      tree.v2(`${slice}/cri-containerd-${id}.scope`, { 'cgroup.procs': `${++pid}\n` });
      tree.process(pid, container === 0 ? 'pause' : 'app', { startTicks: pid, network: `pod${pod}` });
    }
  }
}

const hostFiles = new HostFiles({ procPath: '/proc', sysPath: '/sys', rootPath: '/' });
const host = new HostReader(hostFiles, chosenCollectors([], []));
await measure('this host', (nowMs) => host.read(nowMs));

using tree = new HostTree();
fullNode(tree);
const files = new HostFiles({ procPath: tree.procPath, sysPath: tree.sysPath, rootPath: '/' });
const containers = new ContainerReader({ files, find: () => undefined, cgroupsMax: 10_000 });
await measure(`${values.pods} pods of ${values.containers} containers`, (nowMs) => containers.read(nowMs));
