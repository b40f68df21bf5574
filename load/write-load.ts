/** Runs the senders of a plan side by side, ends them in good order, and reports what they wrote. */
import type { LoadPlan } from './load-plan.ts';
import { makeSenders } from './make-senders.ts';
import { type Pace, recordsDue, recordsPlanned } from './pace.ts';
import type { RunReport } from './run-report.ts';
import type { Sender } from './sender.ts';

export interface WriteContext {
  /** Fires when somebody wants the load to end. */
  readonly stop: AbortSignal;
  /** Progress and warnings. */
  readonly tell: (text: string) => void;
  readonly agentLost: RunReport['agentLost'];
}

/** After the last record was due, requests under way may be acknowledged for so long: a receiver restarts. */
const lastAnswerMsMax = 60_000;
/** After a person has ended the load. */
const stoppedAnswerMsMax = 10_000;
/** A receiver that is away is told of once in so long. */
const retryTellMs = 5000;
const progressMs = 10_000;

export async function writeLoad(plan: LoadPlan, { stop, tell, agentLost }: WriteContext): Promise<RunReport> {
  let toldMs = Number.NEGATIVE_INFINITY;
  const senders = makeSenders(plan, (sender, reason) => {
    if (performance.now() - toldMs < retryTellMs) return;
    toldMs = performance.now();
    tell(`${sender} tries again: ${reason.trim()}\n`);
  });
  const pace: Pace = { ...plan.pace!, senderCount: senders.length };
  const giveUp = new AbortController();
  const startedUnixMs = Date.now();
  const startedMs = performance.now();
  const deadline = setTimeout(() => giveUp.abort(), pace.seconds * 1000 + lastAnswerMsMax);
  stop.addEventListener('abort', () => setTimeout(() => giveUp.abort(), stoppedAnswerMsMax).unref());
  const ending = AbortSignal.any([stop, giveUp.signal]);
  const runs = senders.map((sender, index) =>
    sender.run({
      due: () => recordsDue(pace, index, performance.now() - startedMs),
      planned: recordsPlanned(pace, index),
      stop: ending,
      giveUp: giveUp.signal,
    }),
  );
  const progress = setInterval(() => tell(progressLine(performance.now() - startedMs, senders)), progressMs);
  try {
    await Promise.all(runs);
  } finally {
    clearTimeout(deadline);
    clearInterval(progress);
  }
  for (const [index, sender] of senders.entries()) {
    const { name, written } = sender.report();
    const planned = recordsPlanned(pace, index);
    if (written < planned && !stop.aborted) tell(`${name} has written ${written} of ${planned} records\n`);
  }
  return {
    version: 1,
    run: plan.run,
    tenant: plan.tenant,
    startedUnixMs,
    endedUnixMs: Date.now(),
    spansPerTrace: plan.spansPerTrace,
    seriesCount: plan.seriesCount,
    agentLost,
    senders: senders.map((sender) => sender.report()),
  };
}

function progressLine(elapsedMs: number, senders: readonly Sender[]): string {
  const reports = senders.map((sender) => sender.report());
  const written = reports.reduce((sum, report) => sum + report.written, 0);
  const waiting = reports.reduce((sum, report) => sum + report.written - report.acknowledged, 0);
  return `${Math.round(elapsedMs / 1000)} s: ${written} records written, ${waiting} not acknowledged yet\n`;
}
