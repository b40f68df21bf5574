/**
 * Goal: rule groups, alert states, signals and decisions come back from the store as they went in, and only to their
 * tenant.
 * Method: the real embedded engine; texts that would break out of SQL if they were ever pasted into it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertAlertStates, type StoredAlert, selectAlertStates } from '#query/sql/alert-states.ts';
import { insertRuleGroup, selectRuleGroups, selectRuleTenants } from '#query/sql/rules.ts';
import {
  insertDecisions,
  insertSignal,
  selectSignals,
  selectSignalTenants,
  selectSignalVersion,
} from '#query/sql/scaling.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

let opened: TestStore;
let store: Store;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

const nasty = `it's "quoted" \\ {tenant:String}\n\n; DROP TABLE rule_groups --\té`;

async function writeGroup(
  tenant: string,
  namespace: string,
  name: string,
  yaml: string | undefined,
  updatedMs: number,
) {
  await insertRuleGroup(store, {
    tenant,
    namespace,
    name,
    yaml: yaml ?? '',
    isDeleted: yaml === undefined,
    author: 'tester',
    updatedMs,
  });
}

test('the newest version of a group wins, a deleted one is gone, and other tenants see nothing of it', async () => {
  await writeGroup('acme', nasty, nasty, 'first', 1_700_000_000_001);
  await writeGroup('acme', nasty, nasty, nasty, 1_700_000_000_002);
  await writeGroup('acme', 'b', 'gone', 'text', 1_700_000_000_003);
  await writeGroup('acme', 'b', 'gone', undefined, 1_700_000_000_004);
  await writeGroup('other', 'b', 'back', undefined, 1_700_000_000_005);
  await writeGroup('other', 'b', 'back', 'again', 1_700_000_000_006);
  expect(await selectRuleGroups(store, 'acme')).toEqual([
    { tenant: 'acme', namespace: nasty, name: nasty, version: 2, yaml: nasty },
  ]);
  expect(await selectRuleGroups(store, 'other')).toEqual([
    { tenant: 'other', namespace: 'b', name: 'back', version: 2, yaml: 'again' },
  ]);
  expect(await selectRuleGroups(store, 'nobody')).toEqual([]);
});

test('two versions of one number: the later one wins', async () => {
  const group = { tenant: 'race', namespace: 'n', name: 'g' };
  for (const [text, updatedMs] of [
    ['later', 2000],
    ['earlier', 1000],
  ] as const) {
    await store.exec(
      `INSERT INTO rule_groups SELECT {tenant:String}, {namespace:String}, {name:String}, 1, {text:String}, 0,
       fromUnixTimestamp64Milli({updated_ms:Int64}, 'UTC'), ''`,
      { params: { ...group, text, updated_ms: updatedMs } },
    );
  }
  expect(await selectRuleGroups(store, 'race')).toMatchObject([{ yaml: 'later' }]);
});

test('the revision of a tenant changes with every change', async () => {
  const before = await selectRuleTenants(store);
  expect([...before.keys()]).toEqual(['acme', 'other', 'race']);
  await writeGroup('acme', 'b', 'gone', 'text', 1_700_000_000_004);
  const after = await selectRuleTenants(store);
  expect(after.get('acme')).not.toBe(before.get('acme'));
  expect(after.get('other')).toBe(before.get('other'));
});

const group = { tenant: 'acme', namespace: nasty, name: nasty };

function state(labels: StoredAlert['labels'], changes: Partial<StoredAlert> = {}): StoredAlert {
  return {
    rule: nasty,
    labels,
    state: 'firing',
    value: 1.5,
    activeAtMs: 1_700_000_000_123,
    firedAtMs: 1_700_000_060_456,
    resolvedAtMs: 0,
    sentAtMs: 0,
    updatedMs: 1_700_000_120_789,
    ...changes,
  };
}

test('alerts come back with their times and values, the newest row of each, and only those that are recent', async () => {
  const values = [Number.NaN, Infinity, -Infinity, -0.1, 1e300];
  const rows = values.map((value, index) => state([['pod', `${index}${nasty}`]], { value }));
  const stale = state([['pod', 'stale']], { updatedMs: 1_600_000_000_000 });
  await insertAlertStates(store, group, [...rows, stale]);
  const newer = state(rows[0].labels, { state: 'inactive', value: 7, updatedMs: 1_700_000_130_000 });
  await insertAlertStates(store, group, [newer]);
  const read = await selectAlertStates(store, group, 1_700_000_000_000);
  expect(read).toEqual([newer, ...rows.slice(1)]);
  expect(await selectAlertStates(store, { ...group, tenant: 'other' }, 0)).toEqual([]);
});

test('thousands of alerts with long labels are written in several statements', async () => {
  const many = { ...group, name: 'many' };
  const rows = Array.from({ length: 1200 }, (_, index) => state([['pod', `${index}-${'x'.repeat(500)}`]]));
  await insertAlertStates(store, many, rows);
  expect(await selectAlertStates(store, many, 0)).toHaveLength(1200);
});

test('a signal has versions, and a deleted one is gone but remembered', async () => {
  const signal = { tenant: 'acme', name: 'checkout', updatedMs: 1000 };
  await insertSignal(store, { ...signal, version: 1, definition: nasty, isDeleted: false });
  expect(await selectSignals(store, 'acme')).toEqual([
    { tenant: 'acme', name: 'checkout', version: 1, definition: nasty },
  ]);
  await insertSignal(store, { ...signal, version: 2, definition: '', isDeleted: true });
  expect(await selectSignals(store, 'acme')).toEqual([]);
  expect(await selectSignalVersion(store, 'acme', 'checkout')).toBe(2);
  expect(await selectSignalVersion(store, 'other', 'checkout')).toBe(0);
  expect([...(await selectSignalTenants(store)).keys()]).toEqual(['acme']);
});

test('decisions are rows, and what is not known is NULL', async () => {
  const decision = { tenant: 'acme', signal: 'checkout', timeMs: 1_700_000_000_123 };
  await insertDecisions(store, [
    { ...decision, value: 1.5, served: 1.5, desiredReplicas: 3, reason: nasty },
    {
      ...decision,
      timeMs: decision.timeMs + 1,
      value: undefined,
      served: undefined,
      desiredReplicas: undefined,
      reason: '',
    },
  ]);
  const rows = await store.rows('SELECT * FROM scaling_decisions ORDER BY ts', { tenant: 'acme' });
  const common = { tenant: 'acme', signal: 'checkout' };
  expect(rows).toEqual([
    { ...common, ts: '2023-11-14 22:13:20.123', value: 1.5, served: 1.5, desired: '3', reason: nasty },
    { ...common, ts: '2023-11-14 22:13:20.124', value: null, served: null, desired: null, reason: '' },
  ]);
});
