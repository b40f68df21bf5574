/**
 * /proc/<pid>/stat of all processes: how many there are, by state. Off by default: a read for each process.
 *
 *   1 (systemd) S 0 1 ... 20 0 1 ...   ->  node_processes_state{state="S"} 1, node_processes_threads 1, node_processes_pids 1
 */
import { setImmediate } from 'node:timers/promises';
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, sampleOf, splitFields } from '../host-sample.ts';

/** More processes than this are counted, and not looked at one by one. */
const processesMax = 20_000;
/** Processes that are read before others have their turn. */
const processesPerTurn = 100;
const byState = gauge('node_processes_state', 'Processes, by state.');
const threadTotal = gauge('node_processes_threads', 'Threads of all processes.');
const processTotal = gauge('node_processes_pids', 'Processes.');
const maxProcesses = gauge('node_processes_max_processes', 'Largest number of a process.');
const maxThreads = gauge('node_processes_max_threads', 'Most threads that the system can have.');

export const processesCollector: HostCollector = {
  name: 'processes',
  isDefault: false,
  reads: '/proc/*/stat, /proc/sys/kernel/{pid_max,threads-max}',
  makes:
    'node_processes_state, node_processes_threads, node_processes_pids, node_processes_max_processes, node_processes_max_threads',
  create: (files) => async () => {
    const states = new Map<string, number>();
    let threads = 0;
    const pids = files.list(files.paths.procPath, /^\d+$/);
    if (pids.length > processesMax)
      files.noteLeftOut(
        files.paths.procPath,
        `more than ${processesMax} processes, the states of others are left out`,
      );
    for (const [i, pid] of pids.slice(0, processesMax).entries()) {
      if (i % processesPerTurn === processesPerTurn - 1) await setImmediate();
      // A process that ends meanwhile is none.
      const { state, threadCount } = parseProcessStat(files.procIfAny(`${pid}/stat`) ?? '');
      if (state === '') continue;
      states.set(state, (states.get(state) ?? 0) + 1);
      threads += threadCount;
    }
    const limit = (name: string): number => fieldNumber(files.procIfAny(`sys/kernel/${name}`)?.trim());
    return [
      ...[...states].flatMap(([state, count]) => sampleOf(byState, count, { state })),
      ...sampleOf(threadTotal, threads),
      ...sampleOf(processTotal, pids.length),
      ...sampleOf(maxProcesses, limit('pid_max')),
      ...sampleOf(maxThreads, limit('threads-max')),
    ];
  },
};

/** Returns the state and the number of threads; '' and 0 of other text. A process' name may hold blanks and parentheses. */
export function parseProcessStat(text: string): { state: string; threadCount: number } {
  const fields = splitFields(text.slice(text.lastIndexOf(')') + 1));
  const threadCount = fieldNumber(fields[17]);
  return Number.isNaN(threadCount) ? { state: '', threadCount: 0 } : { state: fields[0]!, threadCount };
}
