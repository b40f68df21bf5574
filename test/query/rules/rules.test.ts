/**
 * Goal: a rule that is posted fires to a webhook, and a restart forgets nothing.
 * Method: the real store and a real webhook; the query's results come from a table, and time from a fake clock.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { sortLabels } from '#model/labels.ts';
import type { InstantRequest, InstantSample } from '#query/instant.ts';
import type { Alert } from '#query/rules/alert-state.ts';
import { type Rules, type RulesOptions, startRules } from '#query/rules/rules.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '#test/query/sql/open-test-store.ts';
import { FakeClock, until } from './fake-clock.ts';
import { startWebhookReceiver, type WebhookReceiver } from './notify/webhook-receiver.ts';

const minuteMs = 60_000;
const startMs = Date.parse('2026-01-02T03:04:00Z');

let opened: TestStore;
let store: Store;
let receiver: WebhookReceiver;
let clock: FakeClock;
/** The pods that the query returns now; an error where it fails. */
let pods: string[] | Error;
let asked: InstantRequest[];
let logged: string[];
const tenant = 'acme';

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

beforeEach(async () => {
  receiver = await startWebhookReceiver();
  clock = new FakeClock(startMs);
  pods = [];
  asked = [];
  logged = [];
  for (const table of ['rule_groups', 'alert_states']) await store.exec(`TRUNCATE TABLE ${table}`);
});

afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
});

function instantQuery(request: InstantRequest): Promise<InstantSample[]> {
  asked.push(request);
  if (pods instanceof Error) return Promise.reject(pods);
  return Promise.resolve(
    pods.map((pod) => ({
      labels: sortLabels([
        ['__name__', 'up'],
        ['pod', pod],
      ]),
      value: 0,
    })),
  );
}

async function start(changes: Partial<RulesOptions> = {}): Promise<Rules> {
  const log = (fields: unknown, text?: string) => logged.push(`${JSON.stringify(fields)} ${text}`);
  return startRules({
    store,
    instantQuery,
    validateQuery: () => {},
    webhooks: [receiver.url],
    alertmanagers: [],
    externalUrl: 'http://sonde/',
    evaluationIntervalMsDefault: minuteMs,
    clock,
    log: { info: log, warn: log, error: log } as RulesOptions['log'],
    ...changes,
  });
}

const rule = (forText: string, extra = '') =>
  `name: web\nrules:\n- alert: Down\n  expr: up == 0\n  for: ${forText}\n  annotations: {summary: "{{ $labels.pod }} is down"}\n${extra}`;

function change(namespace = 'team') {
  return { tenant, namespace, author: 'test' };
}

function running(rules: Rules) {
  return rules.running(tenant);
}

function alerts(rules: Rules): string[] {
  const all: Alert[] = running(rules).flatMap((runner) =>
    runner.states.flatMap((one) => [...one.alerts.values()]),
  );
  return all.map((alert) => `${alert.labels.find(([name]) => name === 'pod')?.[1]} ${alert.status}`).sort();
}

/** Lets the groups of the tenant evaluate once more, and waits for what follows from it. */
async function round(rules: Rules): Promise<void> {
  const before = running(rules).map((runner) => runner.evaluatedAtMs);
  await clock.advance(minuteMs);
  await until('all groups are evaluated', () =>
    running(rules).every((runner, index) => runner.evaluatedAtMs !== before[index]),
  );
  await clock.advance(0);
}

test('a posted rule is evaluated, fires to the webhook with its texts, and is resolved', async () => {
  const rules = await start();
  await rules.put(change(), rule('1m'));
  pods = ['a'];
  await round(rules);
  expect(alerts(rules)).toEqual(['a pending']);
  expect(receiver.received).toHaveLength(0);
  await round(rules);
  expect(alerts(rules)).toEqual(['a firing']);
  await until('the webhook is told', () => receiver.received.length === 1);
  expect(receiver.received[0].body).toMatchObject({
    version: '4',
    status: 'firing',
    externalURL: 'http://sonde',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Down', pod: 'a' },
        annotations: { summary: 'a is down' },
        generatorURL: 'http://sonde/graph?g0.expr=up%20%3D%3D%200&g0.tab=1',
      },
    ],
  });
  pods = [];
  await round(rules);
  await until('the webhook hears the end', () => receiver.received.length === 2);
  expect(receiver.received[1].body).toMatchObject({ status: 'resolved', alerts: [{ status: 'resolved' }] });
  expect(asked.every((request) => request.tenant === tenant)).toBe(true);
  await rules.stop();
});

test('after a restart "for" goes on where it stopped: time without a process does not count', async () => {
  let rules = await start();
  await rules.put(change(), rule('3m'));
  pods = ['a'];
  await round(rules);
  await round(rules);
  await rules.stop();
  clock.jump(20 * minuteMs);
  rules = await start();
  await round(rules);
  expect(alerts(rules)).toEqual(['a pending']);
  await round(rules);
  await round(rules);
  expect(alerts(rules)).toEqual(['a firing']);
  await rules.stop();
});

test('after a restart a firing alert fires on with its times, and the webhook is not told again', async () => {
  let rules = await start();
  await rules.put(change(), rule('0s', '  keep_firing_for: 10m\n'));
  pods = ['a'];
  await round(rules);
  await until('the webhook is told', () => receiver.received.length === 1);
  await until('and has answered', () => rules.status().receivers[0].sent === 1);
  const firedAtMs = [...running(rules)[0].states[0].alerts.values()][0].firedAtMs;
  pods = [];
  await round(rules);
  await rules.stop();

  rules = await start();
  await round(rules);
  const [alert] = running(rules)[0].states[0].alerts.values();
  expect(alert).toMatchObject({ status: 'firing', firedAtMs });
  expect(alert.keepFiringSinceMs).toBeLessThan(clock.nowMs() - minuteMs / 2);
  expect(alert.annotations).toEqual([['summary', 'a is down']]);
  expect(receiver.received).toHaveLength(1);
  await rules.stop();
});

test('a webhook that missed the end of an alert before a restart is told after it', async () => {
  let rules = await start();
  await rules.put(change(), rule('0s'));
  pods = ['a'];
  await round(rules);
  await until('the webhook is told', () => rules.status().receivers[0].sent === 1);
  await rules.stop();
  // This process resolves the alert and cannot reach the webhook before it is stopped.
  rules = await start({ webhooks: ['http://127.0.0.1:9'] });
  pods = [];
  await round(rules);
  expect(alerts(rules)).toEqual(['a inactive']);
  await rules.stop();
  rules = await start();
  await round(rules);
  await round(rules);
  await until('the webhook hears the end', () => receiver.received.length === 2);
  expect(receiver.received[1].body.status).toBe('resolved');
  await rules.stop();
});

test('states that are older than an hour are not taken up', async () => {
  let rules = await start();
  await rules.put(change(), rule('3m'));
  pods = ['a'];
  await round(rules);
  await round(rules);
  await rules.stop();
  clock.jump(61 * minuteMs);
  rules = await start();
  await round(rules);
  await round(rules);
  expect(alerts(rules)).toEqual(['a pending']);
  const [alert] = running(rules)[0].states[0].alerts.values();
  expect(alert.activeAtMs).toBeGreaterThan(clock.nowMs() - 2 * minuteMs);
  await rules.stop();
});

test('an edited rule keeps its alerts; a rule that is gone ends them, and the webhook hears of it', async () => {
  const rules = await start();
  await rules.put(change(), rule('0s', '- alert: Other\n  expr: up == 0\n'));
  pods = ['a'];
  await round(rules);
  await until('both are told', () => receiver.received.length === 2);
  await rules.put(change(), rule('5m'));
  expect(alerts(rules)).toEqual(['a firing']);
  await until('the end is told', () => receiver.received.length === 3);
  expect(receiver.received[2].body).toMatchObject({
    status: 'resolved',
    groupLabels: { alertname: 'Other' },
  });
  expect(await rules.delete(change(), 'web')).toBe(1);
  await until('the other end is told', () => receiver.received.length === 4);
  expect(running(rules)).toEqual([]);
  const rows = await store.rows<{ state: string }>('SELECT state FROM alert_states FINAL', { tenant });
  expect(rows.map(({ state }) => state)).toEqual(['inactive', 'inactive']);
  await rules.stop();
});

test('a query that fails keeps the alerts, says why, and is logged once', async () => {
  const rules = await start();
  await rules.put(change(), rule('0s'));
  pods = ['a'];
  await round(rules);
  pods = new Error('the store is down');
  await round(rules);
  await round(rules);
  expect(alerts(rules)).toEqual(['a firing']);
  expect(running(rules)[0].states[0]).toMatchObject({ health: 'err', lastError: 'the store is down' });
  expect(logged.filter((line) => line.includes('a rule failed'))).toHaveLength(1);
  expect(rules.status()).toMatchObject({ groupCount: 1, ruleCount: 1, firingCount: 1, failedCount: 2 });
  await rules.stop();
});

test('an evaluation that takes too long leaves others out, and they are counted', async () => {
  const gate = Promise.withResolvers<void>();
  const rules = await start({
    instantQuery: async (request) => {
      asked.push(request);
      if (asked.length === 1) await gate.promise;
      return [];
    },
  });
  await rules.put(change(), rule('0s'));
  await clock.advance(minuteMs);
  await until('the query runs', () => asked.length === 1);
  clock.jump(asked[0].timeMs + 150_000 - clock.nowMs());
  gate.resolve();
  await until('the evaluation ends', () => running(rules)[0].missedCount > 0);
  expect(rules.status().missedCount).toBe(1);
  await clock.advance(0);
  await until('the next one runs', () => asked.length === 2);
  expect(asked[1].timeMs - asked[0].timeMs).toBe(2 * minuteMs);
  await rules.stop();
});

test('a group waits while its alerts cannot be read, and then goes on where it stopped', async () => {
  let rules = await start();
  await rules.put(change(), rule('3m'));
  pods = ['a'];
  await round(rules);
  await round(rules);
  await rules.stop();
  let isDown = true;
  const shaky: Store = Object.assign(Object.create(store), {
    rows: (sql: string, options: object) =>
      isDown && sql.includes('alert_states')
        ? Promise.reject(new Error('store is down'))
        : store.rows(sql, options),
  });
  rules = await start({ store: shaky });
  await clock.advance(minuteMs);
  await until('it is seen', () => rules.status().failedCount === 1);
  expect(running(rules)[0].states[0]).toMatchObject({
    health: 'err',
    lastError: expect.stringContaining('store is down'),
  });
  expect(asked).toHaveLength(2);
  isDown = false;
  for (const state of ['pending', 'pending', 'firing']) {
    await round(rules);
    expect(alerts(rules)).toEqual([`a ${state}`]);
  }
  await rules.stop();
});

test('what another process changed is seen within half a minute', async () => {
  const one = await start();
  const two = await start();
  await one.put(change(), rule('1m'));
  expect(running(two)).toHaveLength(0);
  await clock.advance(30_000);
  await until('the other runs it', () => running(two).length === 1);
  await one.delete(change(), undefined);
  await clock.advance(30_000);
  await until('the other stops it', () => running(two).length === 0);
  await one.stop();
  await two.stop();
});

test('a stored group that this version cannot read is reported, and the others run', async () => {
  const before = await start();
  await before.put(change(), rule('1m'));
  await before.stop();
  await store.exec(
    `INSERT INTO rule_groups SELECT {tenant:String}, 'team', 'future', 1, 'name: future', 0, now64(3), ''`,
    { params: { tenant } },
  );
  const rules = await start();
  expect(running(rules).map((runner) => runner.stored.name)).toEqual(['web']);
  expect(rules.status().brokenGroups).toEqual(['acme: group "future", line 1: rules: is required']);
  await rules.stop();
});
