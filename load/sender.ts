/** One writer of numbered records: a container's log file, or a client that pushes. */
import type { SenderReport } from './run-report.ts';

export interface Sender {
  /**
   * Writes records until `due()` says that all are written, and resolves then, or when `stop` fires, or when the
   * target refuses. A failure stands in the report; rejects only on a fault of our own.
   */
  run(schedule: Schedule): Promise<void>;
  report(): SenderReport;
}

export interface Schedule {
  /** How many records this sender should have written by now, in all. */
  readonly due: () => number;
  /** How many it writes in the whole load. */
  readonly planned: number;
  /** No more records are made. */
  readonly stop: AbortSignal;
  /** What is under way is given up. */
  readonly giveUp: AbortSignal;
}

/** How long a sender that has nothing to do waits until it looks again. */
export const tickMs = 50;
