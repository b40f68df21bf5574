/**
 * Goal: the files below /proc become node_exporter's samples, odd lines included.
 * Method: tables of real snippets and the samples as text; then fuzzing: any text gives finite samples.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBlkio, parseIoStat } from '#agent/cgroup/cgroup-files.ts';
import { ioSamples, parseDeviceNames } from '#agent/cgroup/cgroup-layout.ts';
import { parseContainerNetwork } from '#agent/cgroup/container-process.ts';
import { parseArp } from '#agent/host/collectors/arp.ts';
import { parseConntrackStat } from '#agent/host/collectors/conntrack.ts';
import { parseCpuSeconds } from '#agent/host/collectors/cpu.ts';
import { parseCpuInfo } from '#agent/host/collectors/cpu-info.ts';
import { parseDiskStats } from '#agent/host/collectors/diskstats.ts';
import { parseFileNr } from '#agent/host/collectors/filefd.ts';
import { parseLoadAverage } from '#agent/host/collectors/loadavg.ts';
import { parseMdstat } from '#agent/host/collectors/mdadm.ts';
import { parseMemoryInfo } from '#agent/host/collectors/meminfo.ts';
import { parseMountTable } from '#agent/host/collectors/mount-table.ts';
import { parseNetworkDevices } from '#agent/host/collectors/netdev.ts';
import { parseNetstat, parseSnmp6 } from '#agent/host/collectors/netstat.ts';
import { parseOsRelease } from '#agent/host/collectors/os.ts';
import { parseSchedstat } from '#agent/host/collectors/schedstat.ts';
import { parseSockstat } from '#agent/host/collectors/sockstat.ts';
import { parseSoftnet } from '#agent/host/collectors/softnet.ts';
import { parseStat } from '#agent/host/collectors/stat.ts';
import { parseUdpQueues } from '#agent/host/collectors/udp-queues.ts';
import { parseVmstat } from '#agent/host/collectors/vmstat.ts';
import type { HostSample } from '#agent/host/host-sample.ts';

function render(samples: readonly HostSample[]): string[] {
  return samples.map(({ metric, labels, value }) => {
    const pairs = Object.entries(labels).map(([name, text]) => `${name}="${text}"`);
    return `${metric.name}{${pairs}} ${value}`;
  });
}

describe('/proc/stat', () => {
  test.each<[string, string, string[]]>([
    [
      'a processor',
      'cpu  999 9 9 9\ncpu12 7114 1 4443 297514 1047 2 118 31 5 6\n',
      [
        'node_cpu_seconds_total{cpu="12",mode="user"} 71.14',
        'node_cpu_seconds_total{cpu="12",mode="nice"} 0.01',
        'node_cpu_seconds_total{cpu="12",mode="system"} 44.43',
        'node_cpu_seconds_total{cpu="12",mode="idle"} 2975.14',
        'node_cpu_seconds_total{cpu="12",mode="iowait"} 10.47',
        'node_cpu_seconds_total{cpu="12",mode="irq"} 0.02',
        'node_cpu_seconds_total{cpu="12",mode="softirq"} 1.18',
        'node_cpu_seconds_total{cpu="12",mode="steal"} 0.31',
        'node_cpu_guest_seconds_total{cpu="12",mode="user"} 0.05',
        'node_cpu_guest_seconds_total{cpu="12",mode="nice"} 0.06',
      ],
    ],
    ['an old kernel has fewer columns', 'cpu0 100', ['node_cpu_seconds_total{cpu="0",mode="user"} 1']],
    [
      'totals',
      'intr 661901 0 0 1\nctxt 1661043\nbtime 1795226796\nprocesses 8231\nprocs_running 2\nprocs_blocked 0\nsoftirq 1 2\n',
      [
        'node_intr_total{} 661901',
        'node_context_switches_total{} 1661043',
        'node_boot_time_seconds{} 1795226796',
        'node_forks_total{} 8231',
        'node_procs_running{} 2',
        'node_procs_blocked{} 0',
      ],
    ],
    ['odd lines', '\ncpu\ncpux 1\nctxt\nctxt abc\nbtime -1\n', []],
  ])('%s', (_name, text, samples) =>
    expect(render([...parseCpuSeconds(text), ...parseStat(text)])).toEqual(samples),
  );
});

describe('/proc/meminfo', () => {
  test.each<[string, string, string[]]>([
    ['kilobytes', 'MemTotal:       24684084 kB\n', ['node_memory_MemTotal_bytes{} 25276502016']],
    ['a name in parentheses', 'Active(anon):   4 kB', ['node_memory_Active_anon_bytes{} 4096']],
    ['a count', 'HugePages_Total:       3\n', ['node_memory_HugePages_Total{} 3']],
    ['odd lines', 'MemTotal: kB\nx y: 1 kB\nMemFree: 1 MB\n:\n\n', []],
  ])('%s', (_name, text, samples) => expect(render(parseMemoryInfo(text))).toEqual(samples));
});

test.each<[string, string[]]>([
  ['0.50 0.40 12.30 1/234 5678\n', ['node_load1{} 0.5', 'node_load5{} 0.4', 'node_load15{} 12.3']],
  ['0.50 x', ['node_load1{} 0.5']],
  ['', []],
])('/proc/loadavg %j', (text, samples) => expect(render(parseLoadAverage(text))).toEqual(samples));

describe('/proc/diskstats', () => {
  const names = (text: string): string[] =>
    parseDiskStats(text).map(({ metric, labels }) => `${labels.device} ${metric.name}`);

  test('a disk of a kernel of today', () => {
    const line =
      ' 254       0 vda 16512 3209 1247306 4601 11262 8401 1152280 11020 2 9020 16044 7 8 9 1500 1010 422\n';
    expect(render(parseDiskStats(line)).map((text) => text.replace('{device="vda"}', ''))).toEqual([
      'node_disk_reads_completed_total 16512',
      'node_disk_reads_merged_total 3209',
      'node_disk_read_bytes_total 638620672',
      'node_disk_read_time_seconds_total 4.601',
      'node_disk_writes_completed_total 11262',
      'node_disk_writes_merged_total 8401',
      'node_disk_written_bytes_total 589967360',
      'node_disk_write_time_seconds_total 11.02',
      'node_disk_io_now 2',
      'node_disk_io_time_seconds_total 9.02',
      'node_disk_io_time_weighted_seconds_total 16.044',
      'node_disk_discards_completed_total 7',
      'node_disk_discards_merged_total 8',
      'node_disk_discarded_sectors_total 9',
      'node_disk_discard_time_seconds_total 1.5',
      'node_disk_flush_requests_total 1010',
      'node_disk_flush_requests_time_seconds_total 0.422',
    ]);
  });

  test('older kernels have fewer columns', () => {
    expect(names('8 0 sda 1 2 3 4 5 6 7 8 9 10 11')).toHaveLength(11);
    expect(names('8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15').at(-1)).toBe(
      'sda node_disk_discard_time_seconds_total',
    );
  });

  test.each(['loop0', 'ram3', 'zram0', 'sda1', 'xvdb12', 'nvme0n1p2', 'fd0'])('%s is left out', (device) => {
    expect(names(`8 0 ${device} 1 2 3 4 5 6 7 8 9 10 11`)).toEqual([]);
  });

  test.each(['sda', 'nvme0n1', 'dm-0', 'md127', 'vdaa', 'mmcblk0', 'mmcblk0p1', 'sr0'])(
    '%s is a disk',
    (device) => {
      expect(names(`8 0 ${device} 1 2 3 4 5 6 7 8 9 10 11`)).toHaveLength(11);
    },
  );

  test('odd lines are left out', () =>
    expect(names('\n8 0\n8 0 sda 1 2 3\n8 0 sdb a b c d e f g h i j k\n')).toEqual([]));
});

describe('/proc/net/dev', () => {
  const heading =
    'Inter-|   Receive                                                |  Transmit\n' +
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';

  test('a device', () => {
    const samples = render(
      parseNetworkDevices(
        `${heading}  eth0: 541085345   14852    1    2    3     4          5         6  1281770   10138    7    8    9    10       11          12\n`,
      ),
    );
    expect(samples).toHaveLength(16);
    expect(samples.map((text) => text.replace('{device="eth0"}', ''))).toEqual(
      expect.arrayContaining([
        'node_network_receive_bytes_total 541085345',
        'node_network_receive_drop_total 2',
        'node_network_receive_multicast_total 6',
        'node_network_transmit_bytes_total 1281770',
        'node_network_transmit_colls_total 10',
        'node_network_transmit_compressed_total 12',
      ]),
    );
  });

  test.each([
    ['no blank behind the colon', 'eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', ['eth0']],
    ['an alias', ' eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', ['eth0:1']],
    ['odd lines', 'eth0: 1 2 3\n\neth1: a 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n', []],
  ])('%s', (_name, text, devices) => {
    expect([...new Set(parseNetworkDevices(heading + text).map(({ labels }) => labels.device))]).toEqual(
      devices,
    );
  });
});

test('/proc/mounts: storage stays, kernel file systems go, the last mount on a place hides the others', () => {
  const text = [
    'proc /proc proc rw,relatime 0 0',
    'overlay / overlay rw 0 0',
    '/dev/vda / ext4 rw,relatime,discard 0 0',
    '/dev/sdb /mnt/my\\040disk\\134x xfs ro,noatime 0 0',
    'tmpfs /run tmpfs rw 0 0',
    'tmpfs /dev/shm tmpfs rw 0 0',
    '/dev/sdc /var/lib/docker/overlay2 ext4 rw 0 0',
    '/dev/sdd /data ext4 rw 0 0',
    'autofs /data autofs rw 0 0',
    '/dev/sde /srv ext4 rw,errors=remount-ro 0 0',
    'odd line',
    '',
  ].join('\n');
  expect(parseMountTable(text)).toEqual([
    { device: '/dev/vda', mountpoint: '/', fstype: 'ext4', isReadonly: false },
    { device: '/dev/sdb', mountpoint: '/mnt/my disk\\x', fstype: 'xfs', isReadonly: true },
    { device: 'tmpfs', mountpoint: '/run', fstype: 'tmpfs', isReadonly: false },
    { device: '/dev/sde', mountpoint: '/srv', fstype: 'ext4', isReadonly: false },
  ]);
});

test('any text gives finite samples or none', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'cpu0',
      'ctxt',
      'eth0:',
      'Tcp:',
      'md0',
      ':',
      '8:0',
      'rbytes=1',
      'Read',
      '[2/1]',
      'sda',
      'MemFree:',
      'kB',
      '1',
      '2.5',
      '-1',
      '9e9',
      'NaN',
    ),
    fc.string(),
  );
  const text = fc
    .array(
      fc.array(word, { maxLength: 20 }).map((words) => words.join(' ')),
      { maxLength: 8 },
    )
    .map((lines) => lines.join('\n'));
  const parsers: ((content: string) => readonly HostSample[])[] = [
    parseCpuSeconds,
    parseStat,
    parseMemoryInfo,
    parseLoadAverage,
    parseDiskStats,
    parseNetworkDevices,
    parseVmstat,
    parseNetstat,
    parseSnmp6,
    (content) => parseSockstat(content, 4096),
    parseConntrackStat,
    parseFileNr,
    parseMdstat,
    parseArp,
    parseSchedstat,
    parseSoftnet,
    (content) => parseUdpQueues(content, 'v4'),
    parseOsRelease,
    parseCpuInfo,
    (content) => parseContainerNetwork(content, {}),
    (content) => ioSamples(parseIoStat(content), {}, parseDeviceNames(content)),
    (content) => ioSamples(parseBlkio(content, content), {}, new Map()),
  ];
  fc.assert(
    fc.property(text, (content) => {
      for (const parser of parsers)
        for (const { value } of parser(content)) expect(Number.isFinite(value)).toBe(true);
      expect(parseMountTable(content)).toBeInstanceOf(Array);
    }),
    { numRuns: 300 },
  );
});
