/** Compares a run with what the store has of it: waits until it has settled, reads every record, and counts. */
import { tenantHeader } from '#model/tenant.ts';
import type { LoadPlan, VerifyPlan } from '../load-plan.ts';
import { loadTraceId } from '../push/span-signal.ts';
import type { RunReport, SenderKind, SenderReport } from '../run-report.ts';
import { type AgentLosses, lossesSince, readAgentLosses } from './agent-losses.ts';
import { ApiClient } from './api-client.ts';
import { checkLogs, countLogs } from './log-check.ts';
import { checkSamples, countSamples } from './sample-check.ts';
import type { NumberRange, SequenceTally } from './sequence-tally.ts';
import { settle } from './settle.ts';
import { checkSpans, readTrace } from './span-check.ts';
import { RunTallies, type StoredRun } from './stored-run.ts';

export interface SenderVerdict {
  readonly name: string;
  readonly kind: SenderKind;
  /** Null where no report says it: then the highest number stands for what was acknowledged. */
  readonly written: number | null;
  readonly acknowledged: number;
  readonly stored: number;
  readonly missing: number;
  readonly missingRanges: readonly NumberRange[];
  readonly repeated: number;
  readonly repeatedFirst: readonly number[];
  readonly altered: number;
  readonly alteredFirst: readonly number[];
  readonly unexpected: number;
  readonly unexpectedFirst: readonly number[];
  /** Why the sender ended before its time; '' where it did not. */
  readonly failure: string;
}

export interface Verdict {
  readonly run: string;
  readonly isExact: boolean;
  /** Seconds that the store had until it had all, or stood still; and that reading took. */
  readonly settledSeconds: number;
  readonly readSeconds: number;
  readonly senders: readonly SenderVerdict[];
  /** Records of the run by senders that the report does not name. */
  readonly strangers: number;
  /** What the agent has counted as lost since the load began, by reason; null where none was asked. */
  readonly agentLost: AgentLosses | null;
}

/** Clocks of the machines that write and store may differ by so much. */
const clockSkewMs = 60_000;

export async function verifyRun(
  plan: LoadPlan,
  verify: VerifyPlan,
  report: RunReport | undefined,
): Promise<Verdict> {
  // The run is where it was written, whoever asks.
  const tenant = report === undefined ? {} : { [tenantHeader]: report.tenant };
  const api = new ApiClient(verify.apiUrl, { ...plan.headers, ...tenant });
  const expected = report?.senders.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const settleMs = verify.settleSeconds * 1000;
  const wait = (until: number) =>
    settle({
      count: () => countRecords(api, storedRun(plan, verify, report), report),
      expected: until,
      settleMs,
    });
  const startedMs = performance.now();
  const outcome = await wait(expected ?? Number.POSITIVE_INFINITY);
  let settledMs = performance.now();
  let stored = await readRun(api, plan, verify, report);
  if (outcome === 'reached' && countMissing(stored, report) > 0) {
    // Repeats have made up the number: what is missing may still come.
    await wait(Number.POSITIVE_INFINITY);
    settledMs = performance.now();
    stored = await readRun(api, plan, verify, report);
  }
  const readMs = performance.now() - settledMs;
  const senders = stored.tallies
    .entries()
    .map(([name, { kind, tally }]) => judge(name, kind, tally, stored.tallies.sent(name)));
  const agentLost =
    plan.agentUrl === undefined
      ? null
      : lossesSince(report?.agentLost ?? {}, await readAgentLosses(plan.agentUrl, plan.headers));
  return {
    run: stored.run,
    isExact:
      senders.some(({ acknowledged }) => acknowledged > 0) &&
      stored.tallies.strangers === 0 &&
      senders.every(isExact),
    settledSeconds: (settledMs - startedMs) / 1000,
    readSeconds: readMs / 1000,
    senders,
    strangers: stored.tallies.strangers,
    agentLost,
  };
}

function storedRun(plan: LoadPlan, verify: VerifyPlan, report: RunReport | undefined): StoredRun {
  const nowMs = Date.now();
  return {
    run: report?.run ?? plan.run,
    startUnixMs: (report?.startedUnixMs ?? nowMs - verify.sinceSeconds * 1000) - clockSkewMs,
    // A file may be read long after it was written.
    endUnixMs: nowMs + clockSkewMs,
    pageLines: verify.pageLines,
    spansPerTrace: report?.spansPerTrace ?? plan.spansPerTrace,
    seriesCount: report?.seriesCount ?? plan.seriesCount,
    tallies: new RunTallies(report?.senders),
  };
}

async function readRun(
  api: ApiClient,
  plan: LoadPlan,
  verify: VerifyPlan,
  report: RunReport | undefined,
): Promise<StoredRun> {
  const stored = storedRun(plan, verify, report);
  if (wants(report, 'log_file') || wants(report, 'otlp_logs')) await checkLogs(api, stored);
  if (wants(report, 'samples')) await checkSamples(api, stored);
  if (wants(report, 'otlp_spans')) await checkSpans(api, stored);
  return stored;
}

/** Without a report every kind is looked for. */
function wants(report: RunReport | undefined, kind: SenderKind): boolean {
  return report === undefined || report.senders.some((sender) => sender.kind === kind);
}

/** Counts in the store, but for spans: all before a sender's last trace were acknowledged before it was. */
async function countRecords(
  api: ApiClient,
  stored: StoredRun,
  report: RunReport | undefined,
): Promise<number> {
  let count = 0;
  if (wants(report, 'log_file') || wants(report, 'otlp_logs')) {
    for (const records of (await countLogs(api, stored)).values()) count += records;
  }
  if (wants(report, 'samples')) count += await countSamples(api, stored);
  for (const { name, kind, acknowledged } of report?.senders ?? []) {
    if (kind !== 'otlp_spans' || acknowledged === 0) continue;
    const index = Math.floor((acknowledged - 1) / stored.spansPerTrace);
    const spans = await readTrace(api, loadTraceId(stored.run, name, index));
    count += Math.min(acknowledged, index * stored.spansPerTrace + spans.length);
  }
  return count;
}

function countMissing(stored: StoredRun, report: RunReport | undefined): number {
  return stored.tallies.entries().reduce((sum, [name, { tally }]) => {
    const sent = report?.senders.find((sender) => sender.name === name);
    return sum + tally.missing(sent?.acknowledged ?? tally.highest).count;
  }, 0);
}

function judge(
  name: string,
  kind: SenderKind,
  tally: SequenceTally,
  sent: SenderReport | undefined,
): SenderVerdict {
  const acknowledged = sent?.acknowledged ?? tally.highest;
  const missing = tally.missing(acknowledged);
  return {
    name,
    kind,
    written: sent?.written ?? null,
    acknowledged,
    stored: tally.stored,
    missing: missing.count,
    missingRanges: missing.ranges,
    repeated: tally.repeated,
    repeatedFirst: tally.repeatedFirst,
    altered: tally.altered,
    alteredFirst: tally.alteredFirst,
    unexpected: tally.unexpected,
    unexpectedFirst: tally.unexpectedFirst,
    failure: sent?.failure ?? '',
  };
}

function isExact({ missing, repeated, altered, unexpected, failure }: SenderVerdict): boolean {
  return missing === 0 && repeated === 0 && altered === 0 && unexpected === 0 && failure === '';
}
