/** Directories that stand for a host: its cgroups of version 1 or 2, and the processes in them. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Ids of containers, as runtimes make them: 64 hex digits. */
export const idOf = (digit: string): string => digit.repeat(64);

export class HostTree implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'sonde-host-'));
  readonly procPath = join(this.path, 'proc');
  readonly sysPath = join(this.path, 'sys');

  constructor() {
    this.write('proc/stat', 'cpu  1 2 3 4\nbtime 1700000000\n');
    this.write('proc/meminfo', 'MemTotal:       1000 kB\nMemFree:         400 kB\n');
    this.write(
      'proc/diskstats',
      ' 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11\n   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n',
    );
    this.process(1, 'systemd', { startTicks: 10, network: 'host' });
  }

  write(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true });
  }

  /** `network` names the name space; each process of one has the same devices. */
  process(
    pid: number,
    command: string,
    { startTicks, network }: { startTicks: number; network: string },
  ): void {
    this.write(
      `proc/${pid}/stat`,
      `${pid} (${command}) S 1 ${pid} ${pid} 0 -1 4194560 1 0 0 0 5 5 0 0 20 0 3 0 ${startTicks} 1000 1\n`,
    );
    const count = network.length * 100;
    this.write(
      `proc/${pid}/net/dev`,
      'Inter-|   Receive                                                |  Transmit\n' +
        ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n' +
        `    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: ${count} 2 3 4 0 0 0 0 ${count + 1} 6 7 8 0 0 0 0\n`,
    );
    mkdirSync(join(this.procPath, String(pid), 'ns'), { recursive: true });
    symlinkSync(`net:[${network}]`, join(this.procPath, String(pid), 'ns/net'));
  }

  /** A cgroup of version 2, with what a kernel 6.x has in it. `overrides` are files; '-' takes one away. */
  v2(path: string, overrides: Readonly<Record<string, string>> = {}): void {
    const base = `sys/fs/cgroup${path}`;
    for (const [name, text] of Object.entries({ ...v2Files, ...overrides }))
      if (text !== '-') this.write(`${base}/${name}`, text);
  }

  /** A cgroup of version 1 in each controller's hierarchy, with what a kernel 4.x or 5.x has in it. */
  v1(path: string, pids: readonly number[]): void {
    for (const [controller, files] of Object.entries(v1Files)) {
      for (const [name, text] of Object.entries(files))
        this.write(`sys/fs/cgroup/${controller}${path}/${name}`, text);
      this.write(`sys/fs/cgroup/${controller}${path}/cgroup.procs`, pids.map((pid) => `${pid}\n`).join(''));
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const pressure = (some: number, full: number): string =>
  `some avg10=0.12 avg60=0.50 avg300=0.00 total=${some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=${full}\n`;

const v2Files: Readonly<Record<string, string>> = {
  'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
  'cgroup.procs': '',
  'cpu.stat':
    'usage_usec 2500000\nuser_usec 1500000\nsystem_usec 1000000\nnice_usec 0\ncore_sched.force_idle_usec 0\nnr_periods 40\nnr_throttled 7\nthrottled_usec 350000\nnr_bursts 0\nburst_usec 0\n',
  'cpu.max': '50000 100000\n',
  'cpu.weight': '20\n',
  'cpu.pressure': pressure(1_500_000, 500_000),
  'memory.current': '104857600\n',
  'memory.peak': '209715200\n',
  'memory.max': '268435456\n',
  'memory.low': '0\n',
  'memory.swap.current': '4096\n',
  'memory.swap.max': 'max\n',
  'memory.events': 'low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n',
  'memory.stat':
    'anon 52428800\nfile 41943040\nkernel 2097152\nkernel_stack 163840\npagetables 1\npercpu 0\nsock 0\nshmem 0\nfile_mapped 8388608\nfile_dirty 0\ninactive_anon 0\nactive_anon 52428800\ninactive_file 20971520\nactive_file 16777216\npgfault 1000\npgmajfault 10\n',
  'memory.pressure': pressure(250_000, 125_000),
  'io.stat':
    '259:0 rbytes=1048576 wbytes=2097152 rios=16 wios=32 dbytes=0 dios=0\n8:16 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n253:0\n',
  'io.pressure': pressure(10, 5),
  'pids.current': '5\n',
  'pids.max': 'max\n',
};

const v1Files: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: {
    'cpu.cfs_period_us': '100000\n',
    'cpu.cfs_quota_us': '50000\n',
    'cpu.shares': '512\n',
    'cpu.stat': 'nr_periods 40\nnr_throttled 7\nthrottled_time 350000000\n',
  },
  cpuacct: {
    'cpuacct.usage': '2500000000\n',
    'cpuacct.usage_user': '1500000000\n',
    'cpuacct.usage_sys': '1000000000\n',
    'cpuacct.stat': 'user 149\nsystem 99\n',
  },
  memory: {
    'memory.usage_in_bytes': '104857600\n',
    'memory.max_usage_in_bytes': '209715200\n',
    'memory.failcnt': '12\n',
    'memory.limit_in_bytes': '268435456\n',
    'memory.soft_limit_in_bytes': '9223372036854771712\n',
    'memory.memsw.limit_in_bytes': '9223372036854771712\n',
    'memory.kmem.usage_in_bytes': '2097152\n',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'memory.stat':
      'cache 1\nrss 2\nmapped_file 3\npgfault 900\npgmajfault 9\ninactive_file 4\nhierarchical_memory_limit 268435456\ntotal_cache 41943040\ntotal_rss 52428800\ntotal_mapped_file 8388608\ntotal_swap 4096\ntotal_pgfault 1000\ntotal_pgmajfault 10\ntotal_inactive_file 20971520\ntotal_active_file 16777216\n',
  },
  blkio: {
    'blkio.throttle.io_serviced_recursive':
      '259:0 Read 16\n259:0 Write 32\n259:0 Sync 48\n259:0 Async 0\n259:0 Discard 0\n259:0 Total 48\nTotal 48\n',
    'blkio.throttle.io_service_bytes_recursive':
      '259:0 Read 1048576\n259:0 Write 2097152\n259:0 Sync 3145728\n259:0 Async 0\n259:0 Discard 0\n259:0 Total 3145728\nTotal 3145728\n',
  },
  pids: { 'pids.current': '5\n', 'pids.max': 'max\n' },
};
