/**
 * `sonde load`: writes numbered records through the front door, and asks the store for gaps and repeats.
 *
 *   sonde load --seconds 30 --rate 1000 --otlp http://127.0.0.1:4318 --verify --url http://127.0.0.1:4319
 */
import { ConfigError } from '#model/errors.ts';
import { type LoadFlags, type LoadPlan, parseLoadFlags } from './load-plan.ts';
import { renderRun, renderVerdict } from './render-report.ts';
import { type RunReport, readRunReport, writeRunReport } from './run-report.ts';
import { readAgentLosses } from './verify/agent-losses.ts';
import { type Verdict, verifyRun } from './verify/verify-run.ts';
import { writeLoad } from './write-load.ts';

export interface LoadContext {
  /** Fires when somebody wants the load to end: what was written is then reported, and verified. */
  readonly stop: AbortSignal;
  readonly print: (text: string) => void;
  /** Progress and warnings, apart from the output that a script reads. */
  readonly tell: (text: string) => void;
}

/**
 * Resolves with the exit code: 0 where all was written and, where it was verified, is stored exactly once; else 1.
 * Throws ConfigError on flags that are wrong.
 */
export async function runLoadCommand(flags: LoadFlags, context: LoadContext): Promise<number> {
  const { print } = context;
  const plan = parseLoadFlags(flags);
  const report = await obtainReport(plan, context);
  // Before the verification, which may fail for reasons of its own.
  if (plan.pace !== undefined && report !== undefined && !plan.isJson) print(renderRun(report));
  const verdict = plan.verify === undefined ? undefined : await verifyRun(plan, plan.verify, report);
  if (plan.isJson)
    print(`${JSON.stringify({ report: report ?? null, verdict: verdict ?? null }, null, 2)}\n`);
  else if (verdict !== undefined) print(renderVerdict(verdict));
  return isGood(report, verdict) ? 0 : 1;
}

/** Writes the load, or reads what an earlier one has reported; undefined where only a run's id is known. */
async function obtainReport(plan: LoadPlan, { stop, tell }: LoadContext): Promise<RunReport | undefined> {
  if (plan.pace === undefined) {
    if (plan.reportPath === undefined) return undefined;
    const report = readRunReport(plan.reportPath);
    if (!plan.isRunGiven || plan.run === report.run) return report;
    throw new ConfigError(`${plan.reportPath} is about run ${report.run}, not ${plan.run}: leave --run out`);
  }
  const agentLost = plan.agentUrl === undefined ? null : await readAgentLosses(plan.agentUrl, plan.headers);
  tell(`run ${plan.run} begins\n`);
  const report = await writeLoad(plan, { stop, tell, agentLost });
  if (plan.reportPath !== undefined) writeRunReport(plan.reportPath, report);
  return report;
}

function isGood(report: RunReport | undefined, verdict: Verdict | undefined): boolean {
  if (verdict !== undefined) return verdict.isExact;
  return report?.senders.every(({ failure }) => failure === '') === true;
}
