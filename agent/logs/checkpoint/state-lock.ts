/**
 * One agent per checkpoint: two would give their batches the same ids, and read every line twice.
 */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';

/** A lock whose owner died is taken over: a few turns suffice, even where others do the same. */
const attemptsMax = 5;

/**
 * Locks the checkpoint at `path` by `<path>.lock`, and returns what releases it. A lock that its process did not
 * release (kill -9, a reboot) does not count. Throws ConfigError where another agent has it. Calls `onFailure` and
 * returns without a lock where the disk does not take one: saving the checkpoint fails then, too.
 */
export function lockState(path: string, onFailure: (message: string) => void): () => void {
  const lockPath = `${path}.lock`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    takeLock(path, lockPath);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    onFailure(`cannot lock ${lockPath}: ${errorMessage(error)}`);
    return () => undefined;
  }
  return () => {
    try {
      if (readLock(lockPath).pid === process.pid) rmSync(lockPath, { force: true });
    } catch (error) {
      onFailure(`cannot release ${lockPath}: ${errorMessage(error)}`);
    }
  };
}

function takeLock(path: string, lockPath: string): void {
  // Linked, not opened and written: nobody sees a lock without its owner.
  const temporary = `${lockPath}.${process.pid}`;
  writeFileSync(temporary, `${process.pid} ${startedAt(process.pid)}\n`, { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      if (tryLink(temporary, lockPath)) return;
      const owner = readLock(lockPath);
      if (isAlive(owner)) {
        throw new ConfigError(
          `another agent (pid ${owner.pid}) uses ${path}: stop it, or give this one another agent.state_path`,
        );
      }
      rmSync(lockPath, { force: true });
    }
  } finally {
    rmSync(temporary, { force: true });
  }
  throw new ConfigError(`other agents take ${lockPath} again and again: start one agent per state path`);
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

interface LockOwner {
  /** NaN: the lock is gone, or names nobody. */
  readonly pid: number;
  readonly startedAt: string;
}

function readLock(lockPath: string): LockOwner {
  try {
    const [pid, startedAt = ''] = readFileSync(lockPath, 'utf8').trim().split(' ');
    return { pid: Number.parseInt(pid, 10), startedAt };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { pid: Number.NaN, startedAt: '' };
    throw error;
  }
}

function isAlive({ pid, startedAt: lockedAt }: LockOwner): boolean {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // After a reboot another process has the number.
  const now = startedAt(pid);
  return lockedAt === '' || now === '' || lockedAt === now;
}

/** When a process was started, in ticks since the boot (proc(5), /proc/pid/stat field 22); '' where nothing says. */
function startedAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // Not Linux, or not ours to see: the number alone decides.
    return '';
  }
}
