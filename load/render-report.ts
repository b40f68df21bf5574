/** What a load has written, and what a verification has found, for a person. */
import type { RunReport } from './run-report.ts';
import { renderTable } from './text-table.ts';
import type { SenderVerdict, Verdict } from './verify/verify-run.ts';

export function renderRun(report: RunReport): string {
  const seconds = (report.endedUnixMs - report.startedUnixMs) / 1000;
  const written = report.senders.reduce((sum, sender) => sum + sender.written, 0);
  const table = renderTable(
    ['sender', 'written', 'acknowledged', 'unknown', 'retries', 'rotations', 'target'],
    report.senders.map((sender) => [
      sender.name,
      sender.written,
      sender.acknowledged,
      sender.written - sender.acknowledged,
      sender.retries,
      sender.rotations,
      sender.target,
    ]),
  );
  const failures = report.senders
    .filter(({ failure }) => failure !== '')
    .map(({ name, failure }) => `${name} ended early: ${failure}\n`);
  return `run ${report.run}: ${written} records in ${seconds.toFixed(1)} s\n${table}${failures.join('')}`;
}

export function renderVerdict(verdict: Verdict): string {
  const table = renderTable(
    ['sender', 'written', 'acknowledged', 'stored', 'missing', 'repeated', 'altered', 'unexpected'],
    verdict.senders.map((sender) => [
      sender.name,
      sender.written ?? '?',
      sender.acknowledged,
      sender.stored,
      sender.missing,
      sender.repeated,
      sender.altered,
      sender.unexpected,
    ]),
  );
  const times = `settled after ${verdict.settledSeconds.toFixed(1)} s, read in ${verdict.readSeconds.toFixed(1)} s`;
  return [
    `run ${verdict.run}: ${times}\n`,
    table,
    ...verdict.senders.flatMap(faultLines),
    verdict.strangers === 0
      ? ''
      : `${verdict.strangers} records are by senders that the report does not name\n`,
    lossLine(verdict),
    conclusion(verdict),
  ].join('');
}

function faultLines(sender: SenderVerdict): string[] {
  const ranges = sender.missingRanges.map(([first, last]) => (first === last ? first : `${first}-${last}`));
  const lines: readonly (readonly [count: number, what: string, list: readonly (string | number)[]])[] = [
    [sender.missing, 'missing', ranges],
    [sender.repeated, 'repeated', sender.repeatedFirst],
    [sender.altered, 'altered', sender.alteredFirst],
    [sender.unexpected, 'unexpected', sender.unexpectedFirst],
  ];
  return [
    ...lines
      .filter(([count]) => count > 0)
      .map(([count, what, list]) => `${sender.name}: ${count} ${what}, the first: ${list.join(', ')}\n`),
    ...(sender.failure === '' ? [] : [`${sender.name} ended early: ${sender.failure}\n`]),
  ];
}

/** Whether the agent knows of what is missing. It cannot know of how many records in bytes that it never read. */
function lossLine({ agentLost, senders }: Verdict): string {
  if (agentLost === null) return '';
  const missing = senders
    .filter(({ kind }) => kind === 'log_file')
    .reduce((sum, sender) => sum + sender.missing, 0);
  const losses = Object.entries(agentLost);
  if (losses.length === 0) {
    const rest = missing === 0 ? '' : `: ${missing} missing records of files are not accounted for`;
    return `the agent has counted no losses since the load began${rest}\n`;
  }
  const list = losses.map(([reason, { records, bytes }]) => `${reason} ${records} records, ${bytes} bytes`);
  const records = losses.reduce((sum, [, loss]) => sum + loss.records, 0);
  const relation =
    records === missing ? 'as many records as are missing of files' : `of files ${missing} are missing`;
  return `the agent has counted as lost since the load began: ${list.join('; ')}; ${relation}\n`;
}

function conclusion({ isExact, senders }: Verdict): string {
  if (isExact) return 'exact: every acknowledged record is stored once\n';
  const sum = (of: (sender: SenderVerdict) => number): number =>
    senders.reduce((total, sender) => total + of(sender), 0);
  if (sum(({ acknowledged }) => acknowledged) === 0) return 'not exact: there is nothing to compare with\n';
  const counts = `${sum(({ missing }) => missing)} missing, ${sum(({ repeated }) => repeated)} repeated`;
  return `not exact: ${counts}, ${sum(({ altered }) => altered)} altered\n`;
}
