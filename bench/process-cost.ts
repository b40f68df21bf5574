/** What a process has cost so far, by the kernel's figures (Linux). */
import { readFileSync } from 'node:fs';

export interface ProcessCost {
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
  readonly rssMib: number;
  readonly rssMaxMib: number;
  /** The part of rssMib that is no mapped file: what the process itself made. */
  readonly anonymousMib: number;
}

/** The unit of times in /proc/<pid>/stat on every Linux that Node runs on. */
const ticksPerSecond = 100;

export function processCost(pid: number): ProcessCost {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in parentheses, and may hold spaces: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    rssMib: mib('VmRSS'),
    rssMaxMib: mib('VmHWM'),
    anonymousMib: mib('RssAnon'),
  };
}
