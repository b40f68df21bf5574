/** Runs collector-child.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ChildOrder } from './collector-child.ts';

export interface CollectorProcess {
  readonly child: ChildProcess;
  /** How it ended: a signal's name, or an exit code. */
  readonly ended: Promise<string>;
  /** Ends it well. */
  stop(): Promise<string>;
  kill9(): Promise<string>;
  /** Stops the process where it stands, with all its connections open; it goes on with resume(). */
  pause(): void;
  resume(): void;
}

export function startCollectorProcess(order: ChildOrder): CollectorProcess {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'collector-child.ts'), JSON.stringify(order)],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  );
  const ended = once(child, 'exit').then(([code, signal]) => String(signal ?? code));
  return {
    child,
    ended,
    stop() {
      child.stdin!.end();
      return ended;
    },
    kill9() {
      child.kill('SIGKILL');
      return ended;
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}
