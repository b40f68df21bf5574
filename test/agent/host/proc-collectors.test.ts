/**
 * Goal: the files of /proc, of kernels from 3.10 to 6.x, become node_exporter's samples.
 * Method: a table of files as those kernels write them, and the samples as text.
 */
import { expect, test } from 'vitest';
import { parseOsRelease } from '#agent/host/collectors/os.ts';
import { collected, renderSamples } from './collected.ts';

/** The kernel's words to a process: the base of the vDSO, the size of a page, the end. */
function auxv(pageSize: number): string {
  const bytes = Buffer.alloc(48);
  bytes.writeBigUInt64LE(33n, 0);
  bytes.writeBigUInt64LE(6n, 16);
  bytes.writeBigUInt64LE(BigInt(pageSize), 24);
  return bytes.toString('latin1');
}

const snmp = [
  'Ip: Forwarding DefaultTTL InReceives',
  'Ip: 2 64 5722064',
  'Icmp: InMsgs InErrors OutMsgs',
  'Icmp: 3 1 4',
  'Tcp: RtoAlgorithm MaxConn ActiveOpens CurrEstab InErrs',
  'Tcp: 1 -1 69887 12 0',
  'Udp: InDatagrams NoPorts',
  'Udp: 398 0',
  'UdpLite: InDatagrams InErrors',
  'UdpLite: 5 6',
  '',
].join('\n');

test.each<[title: string, collector: string, files: Record<string, string>, samples: string[]]>([
  [
    'pressure of a kernel 6.1',
    'pressure',
    {
      'proc/pressure/cpu':
        'some avg10=0.22 avg60=11.91 avg300=35.61 total=8349768595\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
      'proc/pressure/io': 'some avg10=0.65 total=577623930\nfull avg10=0.64 total=159529250\n',
      'proc/pressure/memory': 'some avg10=0.00 total=1172456\nfull avg10=0.00 total=651375\n',
      'proc/pressure/irq': 'full avg10=0.00 avg60=0.00 avg300=0.00 total=42\n',
    },
    [
      'node_pressure_cpu_waiting_seconds_total{} 8349.768595',
      'node_pressure_io_waiting_seconds_total{} 577.62393',
      'node_pressure_io_stalled_seconds_total{} 159.52925',
      'node_pressure_memory_waiting_seconds_total{} 1.172456',
      'node_pressure_memory_stalled_seconds_total{} 0.651375',
      'node_pressure_irq_stalled_seconds_total{} 0.000042',
    ],
  ],
  [
    'vmstat',
    'vmstat',
    {
      'proc/vmstat':
        'nr_free_pages 5\npgpgin 1\npgpgout 2\npswpin 3\npgfault 4\npgmajfault 5\npgscan_kswapd 9\noom_kill 6\n',
    },
    [
      'node_vmstat_pgpgin{} 1',
      'node_vmstat_pgpgout{} 2',
      'node_vmstat_pswpin{} 3',
      'node_vmstat_pgfault{} 4',
      'node_vmstat_pgmajfault{} 5',
      'node_vmstat_oom_kill{} 6',
    ],
  ],
  [
    'network statistics; without IPv6 there is no snmp6',
    'netstat',
    {
      'proc/net/snmp': snmp,
      'proc/net/netstat':
        'TcpExt: SyncookiesSent ListenDrops TW\nTcpExt: 1 2 3\nIpExt: InOctets OutOctets\nIpExt: 10 20\n',
    },
    [
      'node_netstat_TcpExt_SyncookiesSent{} 1',
      'node_netstat_TcpExt_ListenDrops{} 2',
      'node_netstat_IpExt_InOctets{} 10',
      'node_netstat_IpExt_OutOctets{} 20',
      'node_netstat_Ip_Forwarding{} 2',
      'node_netstat_Icmp_InMsgs{} 3',
      'node_netstat_Icmp_InErrors{} 1',
      'node_netstat_Icmp_OutMsgs{} 4',
      'node_netstat_Tcp_ActiveOpens{} 69887',
      'node_netstat_Tcp_CurrEstab{} 12',
      'node_netstat_Tcp_InErrs{} 0',
      'node_netstat_Udp_InDatagrams{} 398',
      'node_netstat_Udp_NoPorts{} 0',
      'node_netstat_UdpLite_InErrors{} 6',
    ],
  ],
  [
    'IPv6, in the view of process 1',
    'netstat',
    {
      'proc/1/net/snmp': '',
      'proc/1/net/netstat': '',
      'proc/net/snmp6': 'Ip6InOctets 9\n',
      'proc/1/net/snmp6':
        'Ip6InReceives                   \t5\nIp6InOctets                     \t7\nIcmp6InMsgs                     \t1\nUdpLite6InErrors   2\n',
    },
    ['node_netstat_Ip6_InOctets{} 7', 'node_netstat_Icmp6_InMsgs{} 1', 'node_netstat_UdpLite6_InErrors{} 2'],
  ],
  [
    'sockets, with pages of 64 kB',
    'sockstat',
    {
      'proc/self/auxv': auxv(65_536),
      'proc/net/sockstat':
        'sockets: used 14\nTCP: inuse 1 orphan 0 tw 4 alloc 1 mem 2\nFRAG: inuse 0 memory 512\n',
      'proc/net/sockstat6': 'TCP6: inuse 3\n',
    },
    [
      'node_sockstat_sockets_used{} 14',
      'node_sockstat_TCP_inuse{} 1',
      'node_sockstat_TCP_orphan{} 0',
      'node_sockstat_TCP_tw{} 4',
      'node_sockstat_TCP_alloc{} 1',
      'node_sockstat_TCP_mem{} 2',
      'node_sockstat_TCP_mem_bytes{} 131072',
      'node_sockstat_FRAG_inuse{} 0',
      'node_sockstat_FRAG_memory{} 512',
      'node_sockstat_TCP6_inuse{} 3',
    ],
  ],
  [
    'tracked connections of a kernel 5.x: two processors are added',
    'conntrack',
    {
      'proc/sys/net/netfilter/nf_conntrack_count': '123\n',
      'proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
      'proc/net/stat/nf_conntrack':
        'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n' +
        '0000007b  00000000 0000000a 00000000 00000001 00000002 00000000 00000000 00000000 00000003 00000004 00000005 00000000  00000000 00000000 00000000 00000006\n' +
        '0000007b  00000000 00000010 00000000 00000001 00000002 00000000 00000000 00000000 00000003 00000004 00000005 00000000  00000000 00000000 00000000 00000006\n',
    },
    [
      'node_nf_conntrack_entries{} 123',
      'node_nf_conntrack_entries_limit{} 262144',
      'node_nf_conntrack_stat_found{} 26',
      'node_nf_conntrack_stat_invalid{} 2',
      'node_nf_conntrack_stat_ignore{} 4',
      'node_nf_conntrack_stat_insert{} 0',
      'node_nf_conntrack_stat_insert_failed{} 6',
      'node_nf_conntrack_stat_drop{} 8',
      'node_nf_conntrack_stat_early_drop{} 10',
      'node_nf_conntrack_stat_search_restart{} 12',
    ],
  ],
  [
    'the scheduler',
    'schedstat',
    {
      'proc/schedstat':
        'version 15\ntimestamp 15819019232\ncpu0 498494191 0 3533438552 2553969831 3853684107 2465731542 2045936778163 343796328169361 4767485306\ndomain0 00000000,00000003 212499247\n',
    },
    [
      'node_schedstat_running_seconds_total{cpu="0"} 2045.936778163',
      'node_schedstat_waiting_seconds_total{cpu="0"} 343796.328169361',
      'node_schedstat_timeslices_total{cpu="0"} 4767485306',
    ],
  ],
  [
    'packets of a kernel 3.10, which does not name the processor',
    'softnet',
    {
      'proc/net/softnet_stat':
        '00015c73 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 00000004\n',
    },
    [
      'node_softnet_processed_total{cpu="0"} 89203',
      'node_softnet_dropped_total{cpu="0"} 1',
      'node_softnet_times_squeezed_total{cpu="0"} 2',
      'node_softnet_cpu_collision_total{cpu="0"} 0',
      'node_softnet_received_rps_total{cpu="0"} 0',
      'node_softnet_processed_total{cpu="1"} 10',
      'node_softnet_dropped_total{cpu="1"} 0',
      'node_softnet_times_squeezed_total{cpu="1"} 0',
      'node_softnet_cpu_collision_total{cpu="1"} 3',
      'node_softnet_received_rps_total{cpu="1"} 4',
    ],
  ],
  [
    'waiting datagrams',
    'udp_queues',
    {
      'proc/net/udp':
        '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  25: 0100007F:0035 00000000:0000 07 00000010:00000A00 00:00000000 00000000     0        0 1 2 0 0\n  26: 0100007F:0036 00000000:0000 07 00000001:00000001 00:00000000 00000000     0        0 1 2 0 0\n',
    },
    ['node_udp_queues{queue="tx",ip="v4"} 17', 'node_udp_queues{queue="rx",ip="v4"} 2561'],
  ],
  [
    'neighbours',
    'arp',
    {
      'proc/net/arp':
        'IP address       HW type     Flags       HW address            Mask     Device\n192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n192.0.2.2        0x1         0x2         02:fc:00:00:00:06     *        eth0\n10.1.0.1         0x1         0x0         00:00:00:00:00:00     *        cni0\n',
    },
    ['node_arp_entries{device="eth0"} 2', 'node_arp_entries{device="cni0"} 1'],
  ],
  [
    'file descriptors',
    'filefd',
    { 'proc/sys/fs/file-nr': '521\t0\t2466165\n' },
    ['node_filefd_allocated{} 521', 'node_filefd_maximum{} 2466165'],
  ],
  [
    'software RAID: whole, degraded and recovering, stopped, striped, about to be checked',
    'mdadm',
    {
      'proc/mdstat': [
        'Personalities : [raid1] [raid6] [raid0]',
        'md0 : active raid1 sdb1[1] sda1[0]',
        '      248896 blocks [2/2] [UU]',
        '      ',
        'md1 : active raid1 sdb2[2](F) sda2[0] sdc2[3](S)',
        '      195310144 blocks [2/1] [U_]',
        '      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec',
        '      ',
        'md2 : inactive sdd[0](S)',
        '      7932 blocks super 1.2',
        '       ',
        'md3 : active raid0 sde1[1] sdf1[0]',
        '      523968 blocks super 1.2 512k chunks',
        '      ',
        'md4 : active raid6 sdg[3] sdh[2] sdi[1] sdj[0]',
        '      1000 blocks level 6, 64k chunk, algorithm 2 [4/4] [UUUU]',
        '      bitmap: 0/1 pages [0KB], 65536KB chunk',
        '      \tcheck=DELAYED',
        'unused devices: <none>',
        '',
      ].join('\n'),
    },
    [
      ...raid('md0', 'active', [2, 0, 0, 0], 2, 248896, 248896),
      ...raid('md1', 'recovering', [1, 1, 1, 1], 2, 195310144, 16775552),
      ...raid('md2', 'inactive', [0, 0, 1, 0], 0, 7932, 7932),
      ...raid('md3', 'active', [2, 0, 0, 0], 2, 523968, 523968),
      ...raid('md4', 'check', [4, 0, 0, 0], 4, 1000, 0),
    ],
  ],
  [
    'the kind of processor',
    'cpu_info',
    {
      'proc/cpuinfo':
        'processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon: fast\nphysical id\t: 0\ncore id\t\t: 1\n\nprocessor\t: 1\ncore id\t: 2\n\n',
    },
    [
      'node_cpu_info{cpu="0",vendor="GenuineIntel",model_name="Xeon: fast",package="0",core="1"} 1',
      'node_cpu_info{cpu="1",core="2"} 1',
    ],
  ],
  [
    'what udev says of a disk',
    'diskstats',
    {
      'proc/diskstats': ' 259       0 nvme0n1 1 2 3\n',
      'run/udev/data/b259:0':
        'S:disk/by-id/x\nE:ID_MODEL=SAMSUNG MZ\nE:ID_SERIAL_SHORT=S64G\nE:ID_PATH=pci-0000\nE:ID_WWN=eui.1\n',
    },
    [
      'node_disk_info{device="nvme0n1",major="259",minor="0",model="SAMSUNG MZ",serial="S64G",path="pci-0000",wwn="eui.1"} 1',
    ],
  ],
])('%s', async (_title, collector, files, samples) => {
  expect(await collected(collector, files)).toEqual(samples);
});

function raid(
  device: string,
  state: string,
  [active, failed, spare, down]: [number, number, number, number],
  required: number,
  blocks: number,
  synced: number,
): string[] {
  return [
    ...['active', 'inactive', 'recovering', 'resync', 'check'].map(
      (name) => `node_md_state{device="${device}",state="${name}"} ${name === state ? 1 : 0}`,
    ),
    `node_md_disks{device="${device}",state="active"} ${active}`,
    `node_md_disks{device="${device}",state="failed"} ${failed}`,
    `node_md_disks{device="${device}",state="spare"} ${spare}`,
    `node_md_disks{device="${device}",state="down"} ${down}`,
    `node_md_disks_required{device="${device}"} ${required}`,
    `node_md_blocks{device="${device}"} ${blocks}`,
    `node_md_blocks_synced{device="${device}"} ${synced}`,
  ];
}

test.each([
  [
    'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n',
    ['id="ubuntu",id_like="debian",name="Ubuntu",version_id="22.04"', '22.04'],
  ],
  [
    'ID=\'arch\'\n# a comment\nPRETTY_NAME="Arch \\"x\\" Linux"\n',
    ['id="arch",pretty_name="Arch "x" Linux"', ''],
  ],
  ['', ['', '']],
])('os-release %j', (text, [labels, version]) => {
  const lines = renderSamples(parseOsRelease(text));
  expect(lines[0] ?? '').toBe(labels === '' ? '' : `node_os_info{${labels}} 1`);
  expect(lines[1]?.split(' ').at(-1) ?? '').toBe(version);
});

test.each([
  'pressure',
  'conntrack',
  'schedstat',
  'udp_queues',
  'mdadm',
  'hwmon',
  'nvme',
  'bonding',
  'dmi',
  'rapl',
  'os',
])('%s says that the machine has none of it', async (name) => {
  await expect(collected(name, {})).rejects.toMatchObject({ code: 'SONDE_NO_DATA' });
});
