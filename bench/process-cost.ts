/** What a process has cost so far, by the kernel's figures (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessCost {
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
  /** The same by the names of threads: MainThread, libuv-worker (compression), V8Worker (garbage, compiling). */
  readonly threadSeconds: ReadonlyMap<string, number>;
  readonly rssMib: number;
  readonly rssMaxMib: number;
  /** The part of rssMib that is no mapped file: what the process itself made. */
  readonly anonymousMib: number;
}

/** The unit of times in /proc/<pid>/stat on every Linux that Node runs on. */
const ticksPerSecond = 100;

export function processCost(pid: number): ProcessCost {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  const threadSeconds = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const { name, seconds } = readStat(`/proc/${pid}/task/${thread}/stat`);
    threadSeconds.set(name, (threadSeconds.get(name) ?? 0) + seconds);
  }
  return {
    cpuSeconds: readStat(`/proc/${pid}/stat`).seconds,
    threadSeconds,
    rssMib: mib('VmRSS'),
    rssMaxMib: mib('VmHWM'),
    anonymousMib: mib('RssAnon'),
  };
}

function readStat(path: string): { name: string; seconds: number } {
  const stat = readFileSync(path, 'utf8');
  // The second field is the name in parentheses, and may hold spaces: fields are counted from behind it.
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const seconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  return { name: stat.slice(stat.indexOf('(') + 1, end), seconds };
}
