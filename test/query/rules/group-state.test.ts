/**
 * Goal: the store holds what a restart needs, and is written no more often than that.
 * Method: a rule's state is walked by hand; the rows that it asks for are compared.
 */
import { expect, test } from 'vitest';
import { sortLabels } from '#model/labels.ts';
import { advanceAlerts, labelsKey } from '#query/rules/alert-state.ts';
import {
  changedRows,
  markStored,
  newRuleState,
  type RuleState,
  restoreAlerts,
  ruleIdentity,
} from '#query/rules/group-state.ts';
import { parseRuleGroup } from '#query/rules/rule-group.ts';
import type { StoredAlert } from '#query/sql/alert-states.ts';

const minuteMs = 60_000;

function statesOf(rules: string): RuleState[] {
  return parseRuleGroup(`name: g\nrules:\n${rules}`, () => {}).rules.map(newRuleState);
}

function step(state: RuleState, pods: readonly string[], timeMs: number): string[] {
  const observations = pods.map((pod) => {
    const labels = sortLabels([
      ['alertname', state.rule.name],
      ['pod', pod],
    ]);
    return [labelsKey(labels), { labels, annotations: [], value: 1 }] as const;
  });
  advanceAlerts(state.alerts, new Map(observations), state.rule, timeMs);
  const rows = changedRows(state, timeMs);
  markStored(state, rows, timeMs);
  return rows.map((row) => `${row.labels[1][1]} ${row.state}`);
}

test('a pending alert is written every time, a firing one when it changes and every minute, an ended one once', () => {
  const [state] = statesOf('- {alert: A, expr: q, for: 20s}');
  const steps = [
    [0, ['a'], ['a pending']],
    [10_000, ['a'], ['a pending']],
    [20_000, ['a'], ['a firing']],
    [30_000, ['a'], []],
    [79_999, ['a'], []],
    [80_000, ['a'], ['a firing']],
    [90_000, [], ['a inactive']],
    [100_000, [], []],
    [20 * minuteMs, [], []],
  ] as const;
  expect(steps.map(([timeMs, pods]) => step(state, pods, timeMs))).toEqual(steps.map(([, , rows]) => rows));
});

test('a pending alert that vanished leaves a row that says so, once', () => {
  const [state] = statesOf('- {alert: A, expr: q, for: 1m}');
  expect(step(state, ['a'], 0)).toEqual(['a pending']);
  expect(step(state, [], 1)).toEqual(['a inactive']);
  expect(step(state, [], 2)).toEqual([]);
});

test('what could not be written is asked for again', () => {
  const [state] = statesOf('- {alert: A, expr: q}');
  step(state, ['a'], 0);
  step(state, ['a', 'b'], 1);
  const alert = [...state.alerts.values()][0];
  alert.sentAtMs = 2;
  expect(changedRows(state, 3)).toHaveLength(1);
  expect(changedRows(state, 4)).toHaveLength(1);
});

function row(changes: Partial<StoredAlert>): StoredAlert {
  return {
    rule: 'A',
    labels: [['alertname', 'A']],
    state: 'firing',
    value: 3,
    activeAtMs: 1000,
    firedAtMs: 2000,
    resolvedAtMs: 0,
    sentAtMs: 0,
    updatedMs: 5000,
    ...changes,
  };
}

function restore(rules: string, rows: readonly StoredAlert[]): RuleState[] {
  const states = statesOf(rules);
  restoreAlerts(states, rows, { nowMs: 8000, externalLabels: [], externalUrl: '' });
  return states;
}

test.each([
  ['pending', { state: 'pending' }, { status: 'pending', activeAtMs: 4000 }],
  ['firing', {}, { status: 'firing', activeAtMs: 1000, firedAtMs: 2000, resolvedAtMs: undefined }],
  [
    'keep_firing',
    { state: 'keep_firing', resolvedAtMs: 4000 },
    { status: 'firing', keepFiringSinceMs: 4000 },
  ],
  ['inactive', { state: 'inactive', resolvedAtMs: 4000 }, { status: 'inactive', resolvedAtMs: 4000 }],
] as const)('a %s row comes back with its times', (_name, changes, alert) => {
  const [state] = restore('- {alert: A, expr: q, annotations: {s: "{{ $value }}"}}', [row(changes)]);
  expect([...state.alerts.values()]).toMatchObject([{ ...alert, annotations: [['s', '3']] }]);
});

test('a pending alert that had vanished does not come back', () => {
  const [state] = restore('- {alert: A, expr: q}', [row({ state: 'inactive', firedAtMs: 0 })]);
  expect(state.alerts.size).toBe(0);
});

test('rules of one name are told apart by their fixed labels; rows of no rule are left', () => {
  const states = restore(
    '- {alert: A, expr: q, labels: {severity: info, x: "{{ $value }}"}}\n- {alert: A, expr: q, labels: {severity: page}}',
    [
      row({
        labels: [
          ['alertname', 'A'],
          ['severity', 'page'],
        ],
      }),
      row({
        labels: [
          ['alertname', 'A'],
          ['severity', 'info'],
          ['x', '3'],
        ],
      }),
      row({ rule: 'Gone' }),
    ],
  );
  expect(states.map((state) => [...state.alerts.values()].map(({ labels }) => labels[1][1]))).toEqual([
    ['info'],
    ['page'],
  ]);
});

test('a rule is the same while its name and labels are', () => {
  const [one, two, three] = statesOf(
    '- {alert: A, expr: q, labels: {a: b}}\n- {alert: A, expr: other, for: 1m, labels: {a: b}}\n- {alert: A, expr: q}',
  );
  expect(ruleIdentity(one.rule)).toBe(ruleIdentity(two.rule));
  expect(ruleIdentity(one.rule)).not.toBe(ruleIdentity(three.rule));
});
