/** /proc/stat: "intr 661901 0 ..." -> node_intr_total 661901, "ctxt 1" -> node_context_switches_total 1, ... See proc(5). */
import type { HostCollector } from '../host-collector.ts';
import { counter, fieldNumber, gauge, type HostMetric, type HostSample, sampleOf } from '../host-sample.ts';

const totals = new Map<string, HostMetric>([
  ['intr', counter('node_intr_total', 'Interrupts served.')],
  ['ctxt', counter('node_context_switches_total', 'Context switches.')],
  ['btime', gauge('node_boot_time_seconds', 'When the system was booted, in Unix time.')],
  ['processes', counter('node_forks_total', 'Processes and threads created.')],
  ['procs_running', gauge('node_procs_running', 'Threads that run or are ready to.')],
  ['procs_blocked', gauge('node_procs_blocked', 'Processes that wait for I/O.')],
]);

export const statCollector: HostCollector = {
  name: 'stat',
  isDefault: true,
  reads: '/proc/stat',
  makes:
    'node_boot_time_seconds, node_context_switches_total, node_forks_total, node_intr_total, node_procs_running, node_procs_blocked',
  create: (files) => () => parseStat(files.sharedProc('stat')),
};

/** Lines of other shapes are left out. */
export function parseStat(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    // The line of interrupts has a column for each of them: only its first two fields are looked at.
    const [name, value] = line.split(' ', 2);
    const metric = totals.get(name!);
    return metric ? sampleOf(metric, fieldNumber(value)) : [];
  });
}
