/**
 * Goal: a person reads what is wrong and where; a verification waits as long as something comes, and no longer; an
 * agent's counters are read as they are.
 * Method: verdicts as text, counts from a script, a metrics page as agents serve it.
 */
import { expect, test } from 'vitest';
import { renderVerdict } from '#load/render-report.ts';
import { lossesSince, parseAgentLosses } from '#load/verify/agent-losses.ts';
import { settle } from '#load/verify/settle.ts';
import type { SenderVerdict, Verdict } from '#load/verify/verify-run.ts';

const sender: SenderVerdict = {
  ...{ name: 'log-file-1', kind: 'log_file', written: 100, acknowledged: 100, stored: 100 },
  ...{ missing: 0, missingRanges: [], repeated: 0, repeatedFirst: [], altered: 0, alteredFirst: [] },
  ...{ unexpected: 0, unexpectedFirst: [], failure: '' },
};
const verdict: Verdict = {
  ...{ run: 'r1', isExact: true, settledSeconds: 1.25, readSeconds: 0.5, senders: [sender] },
  ...{ strangers: 0, agentLost: null },
};

test('exact is said in a line', () => {
  expect(renderVerdict(verdict)).toBe(
    `run r1: settled after 1.3 s, read in 0.5 s
sender      written  acknowledged  stored  missing  repeated  altered  unexpected
log-file-1      100           100     100        0         0        0           0
exact: every acknowledged record is stored once
`,
  );
});

test('what is wrong is named with its numbers, and compared with what the agent has lost', () => {
  const wrong: SenderVerdict = {
    ...sender,
    ...{
      stored: 96,
      missing: 4,
      missingRanges: [
        [3, 5],
        [9, 9],
      ],
      repeated: 1,
      repeatedFirst: [7],
    },
    ...{ altered: 1, alteredFirst: [8] },
  };
  const text = renderVerdict({
    ...verdict,
    ...{
      isExact: false,
      senders: [wrong],
      strangers: 2,
      agentLost: { deleted: { records: 0, bytes: 99 }, rate_limit: { records: 4, bytes: 400 } },
    },
  });
  expect(text.split('\n').slice(3)).toEqual([
    'log-file-1: 4 missing, the first: 3-5, 9',
    'log-file-1: 1 repeated, the first: 7',
    'log-file-1: 1 altered, the first: 8',
    '2 records are by senders that the report does not name',
    'the agent has counted as lost since the load began: deleted 0 records, 99 bytes; ' +
      'rate_limit 4 records, 400 bytes; as many records as are missing of files',
    'not exact: 4 missing, 1 repeated, 1 altered',
    '',
  ]);
});

test('a loss that the agent has not counted is seen', () => {
  const senders = [{ ...sender, missing: 4 }];
  expect(renderVerdict({ ...verdict, isExact: false, senders, agentLost: {} })).toContain(
    'the agent has counted no losses since the load began: 4 missing records of files are not accounted for\n',
  );
});

test('nothing at all is not exact', () => {
  expect(renderVerdict({ ...verdict, isExact: false, senders: [] })).toContain(
    'not exact: there is nothing to compare with\n',
  );
});

const page = `# HELP sonde_agent_logs_lost_records_total Records that were lost, by reason.
# TYPE sonde_agent_logs_lost_records_total counter
sonde_agent_logs_lost_records_total{reason="truncated",otel_scope_name="sonde"} 5
sonde_agent_logs_lost_records_total{reason="rate_limit",otel_scope_name="sonde"} 1.5e+3
sonde_agent_logs_lost_bytes_total{reason="truncated",otel_scope_name="sonde"} 8510
sonde_agent_logs_records_rejected_total{otel_scope_name="sonde"} 2
sonde_agent_logs_records_total{otel_scope_name="sonde"} 19111
`;

test('losses are read by reason, what was rejected among them', () => {
  expect(parseAgentLosses(page)).toEqual({
    truncated: { records: 5, bytes: 8510 },
    rate_limit: { records: 1500, bytes: 0 },
    rejected: { records: 2, bytes: 0 },
  });
  expect(parseAgentLosses('')).toEqual({});
});

test('what was lost before the load does not count, unless the agent has started anew', () => {
  const loss = (records: number, bytes: number) => ({ records, bytes });
  const before = { deleted: loss(3, 30), truncated: loss(0, 50) };
  const now = { deleted: loss(4, 30), truncated: loss(0, 50), rejected: loss(1, 0) };
  expect(lossesSince(before, now)).toEqual({ deleted: loss(1, 0), rejected: loss(1, 0) });
  expect(lossesSince(before, { deleted: loss(2, 20) })).toEqual({ deleted: loss(2, 20) });
});

test('settling ends when all is there, when nothing comes, or when the time is over', async () => {
  const script = (counts: number[]) => async () => counts.shift() ?? 7;
  expect(await settle({ count: script([1, 5]), expected: 5, settleMs: 60_000 })).toBe('reached');
  expect(await settle({ count: script([]), expected: 8, settleMs: 400 })).toBe('still');
  let count = 0;
  expect(
    await settle({ count: async () => count++, expected: Number.POSITIVE_INFINITY, settleMs: 100 }),
  ).toBe('late');
  expect(await settle({ count: script([]), expected: 8, settleMs: 0 })).toBe('still');
});
