/**
 * /proc/stat: what the processors did since the boot.
 *
 *   cpu0 100 0 50 2000 7 ...    ->  node_cpu_seconds_total{cpu="0",mode="user"} 1, ...
 *
 * See proc(5). Lines of other shapes, and columns that an old kernel lacks, are left out.
 */
import { counter, fieldNumber, gauge, type HostMetric, type HostSample, splitFields } from './host-sample.ts';

/** USER_HZ: the unit of the columns on every Linux that Node runs on. */
const ticksPerSecond = 100;
const modes = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
/** Behind the modes: time that is also counted in `user` and `nice`. */
const guestModes = ['user', 'nice'] as const;

const cpuSeconds = counter('node_cpu_seconds_total', 'Seconds that each processor spent in each mode.');
const guestSeconds = counter(
  'node_cpu_guest_seconds_total',
  'Seconds that each processor ran virtual machines.',
);
const totals = new Map<string, HostMetric>([
  ['intr', counter('node_intr_total', 'Interrupts served.')],
  ['ctxt', counter('node_context_switches_total', 'Context switches.')],
  ['btime', gauge('node_boot_time_seconds', 'When the system was booted, in Unix time.')],
  ['processes', counter('node_forks_total', 'Processes and threads created.')],
  ['procs_running', gauge('node_procs_running', 'Threads that run or are ready to.')],
  ['procs_blocked', gauge('node_procs_blocked', 'Processes that wait for I/O.')],
]);

export function parseCpuStat(text: string): HostSample[] {
  const samples: HostSample[] = [];
  for (const line of text.split('\n')) {
    const fields = splitFields(line);
    const cpu = /^cpu(\d+)$/.exec(fields[0]!)?.[1];
    const total = totals.get(fields[0]!);
    if (cpu !== undefined) samples.push(...cpuSamples(cpu, fields.slice(1)));
    else if (total) samples.push({ metric: total, labels: {}, value: fieldNumber(fields[1]) });
  }
  return samples.filter(({ value }) => !Number.isNaN(value));
}

function cpuSamples(cpu: string, ticks: readonly string[]): HostSample[] {
  const sample = (metric: HostMetric, mode: string, index: number): HostSample => ({
    metric,
    labels: { cpu, mode },
    value: fieldNumber(ticks[index]) / ticksPerSecond,
  });
  return [
    ...modes.map((mode, i) => sample(cpuSeconds, mode, i)),
    ...guestModes.map((mode, i) => sample(guestSeconds, mode, modes.length + i)),
  ];
}
