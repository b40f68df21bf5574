/**
 * Goal: what a dashboard made for node_exporter finds there, it finds here: names, labels, types, and equal facts.
 * Method: the real node_exporter and our reader on this machine at the same moment; each series that only node_exporter
 * has must be on a list, with the reason.
 */
import { expect, test } from 'vitest';
import { chosenCollectors } from '#agent/host/collector-table.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import { HostReader } from '#agent/host/host-reading.ts';
import type { HostSample } from '#agent/host/host-sample.ts';
import { sortLabels } from '#model/labels.ts';
import { freePort, hasTool, startTool } from '#test/support/debian-tool.ts';
import { until } from '../scrape/memory-transport.ts';

interface Series {
  readonly value: number;
  readonly type: string;
}

/** Debian's package has other defaults than node_exporter itself, whose later defaults these are. */
const upstreamDefaults = [
  '--collector.netdev.device-exclude=^$',
  '--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)',
  '--collector.filesystem.fs-types-exclude=^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$',
  '--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$',
];

/** Series of node_exporter that are not here, each with its reason. docs/agent/host-and-containers.md says the same. */
const allowed: readonly (readonly [series: RegExp, reason: string])[] = [
  [/^(?:go|process|promhttp)_/, "node_exporter's own process"],
  [/^node_exporter_build_info/, 'it would claim that a node_exporter runs here, of some version'],
  [/^node_timex_/, 'only the adjtimex system call has them, and Node cannot call it'],
  [/^node_textfile_/, 'files of metrics are not read: what makes them can push or be scraped'],
  [/^node_systemd_/, 'units are asked for over D-Bus, which is no file; a failed unit is in the journal'],
  [
    /^node_(?:bcache|btrfs|fibrechannel|infiniband|ipvs|nfs|nfsd|power_supply|tape|xfs|zfs)_/,
    'rare hardware, or file systems with statistics of their own',
  ],
  [
    /^node_disk_(?:ata_|device_mapper_info|filesystem_info)/,
    'more of what udev knows: no dashboard asks for it',
  ],
  [
    /^node_scrape_collector_\w+\{collector="(?:bcache|btrfs|fibrechannel|infiniband|ipvs|nfs|nfsd|powersupplyclass|systemd|tapestats|textfile|timex|xfs|zfs)"\}/,
    'whether the collectors of the lines above succeeded',
  ],
];

/** Facts that do not change between two readings: the values must be equal. */
const constant =
  /^node_(?:boot_time|uname_info|os_|dmi_|memory_(?:MemTotal|SwapTotal|HugePages|Hugepagesize|VmallocTotal)|filesystem_(?:size|files\{|readonly|device_error)|filefd_maximum|entropy|network_(?:mtu|speed|iface|protocol|flags|up|info|carrier|address|device_id|dormant|name_assign|net_dev|transmit_queue)|nf_conntrack_entries_limit|time_zone|time_clocksource|disk_info|selinux|scrape_collector_success|sockstat_\w*6_)/;

function parsePage(text: string): Map<string, Series> {
  const types = new Map<string, string>();
  const series = new Map<string, Series>();
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) types.set(name, type === 'untyped' ? 'unknown' : type!);
    const sample = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!sample) continue;
    const labels = [...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const key = renderKey(
      sample[1]!,
      labels.map(([, label, value]) => [label!, value!]),
    );
    series.set(key, { value: Number(sample[3]), type: types.get(sample[1]!) ?? '' });
  }
  return series;
}

/** Later versions of node_exporter, and we, say of a device whether it was switched on. */
function renderKey(name: string, labels: readonly (readonly [string, string])[]): string {
  const pairs = sortLabels(labels.filter(([label]) => label !== 'adminstate'));
  return `${name}{${pairs.map(([label, value]) => `${label}="${value}"`).join()}}`;
}

function ownSeries(samples: readonly HostSample[]): Map<string, Series> {
  return new Map(
    samples.map(({ metric, labels, value }) => [
      renderKey(metric.name, Object.entries(labels)),
      { value, type: metric.type },
    ]),
  );
}

const isThere = hasTool('prometheus-node-exporter', 'prometheus-node-exporter');

test.skipIf(!isThere)('each series of node_exporter is here, with the same labels and type', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  await using tool = startTool(
    'prometheus-node-exporter',
    [`--web.listen-address=${address}`, ...upstreamDefaults],
    '/',
  );
  expect(tool.child.pid).toBeGreaterThan(0);
  const fetchPage = (): Promise<string> => fetch(`http://${address}/metrics`).then((reply) => reply.text());
  await until(() =>
    fetchPage().then(
      (page) => page.includes('node_load1'),
      () => false,
    ),
  );
  const reader = new HostReader(
    new HostFiles({ procPath: '/proc', sysPath: '/sys', rootPath: '/' }),
    chosenCollectors([], []),
  );
  // Other tests mount, and open sockets, meanwhile: what counts was there before and after us, and is not right once more.
  const compare = async () => {
    const before = parsePage(await fetchPage());
    const ours = ownSeries((await reader.read(Date.now())).samples);
    const after = parsePage(await fetchPage());
    const theirs = new Map([...before].filter(([key]) => after.has(key)));
    const missing = [...theirs.keys()].filter(
      (key) => !ours.has(key) && !allowed.some(([series]) => series.test(key)),
    );
    const otherTypes = [...theirs].flatMap(([key, { type }]) => {
      const own = ours.get(key);
      return own && own.type !== type ? [`${key} is a ${own.type} here and a ${type} there`] : [];
    });
    const otherValues = [...theirs].flatMap(([key, { value }]) => {
      const own = ours.get(key);
      const isConstant = constant.test(key) && after.get(key)?.value === value;
      return own && isConstant && own.value !== value ? [`${key} ${own.value} here, ${value} there`] : [];
    });
    return { ours, theirs, faults: { missing, otherTypes, otherValues } };
  };
  const areFaults = ({ faults }: Awaited<ReturnType<typeof compare>>) =>
    Object.values(faults).some((list) => list.length > 0);
  let compared = await compare();
  for (let again = 0; again < 4 && areFaults(compared); again++) compared = await compare();
  const { ours, theirs, faults } = compared;
  const more = [...ours.keys()].filter((key) => !theirs.has(key));
  console.info(
    `node_exporter has ${theirs.size} series, we ${ours.size}; only here:\n  ${more.join('\n  ')}\nonly there, allowed:\n  ` +
      [...theirs.keys()].filter((key) => !ours.has(key)).join('\n  '),
  );
  expect(faults).toEqual({ missing: [], otherTypes: [], otherValues: [] });
});
