/**
 * Goal: every receiver hears of every alert, a webhook only of news, and a receiver that is down loses nothing silently.
 * Method: a real HTTP server as receiver, a fake clock for pauses, and the counters that an operator sees.
 */
import { expect, test } from 'vitest';
import type { AlertNotice, NoticeBatch } from '#query/rules/notify/alert-notice.ts';
import { Notifier, type NotifierOptions } from '#query/rules/notify/notifier.ts';
import { FakeClock, until } from '#test/query/rules/fake-clock.ts';
import { startWebhookReceiver } from './webhook-receiver.ts';

const startMs = Date.parse('2026-01-02T03:04:05Z');
const hourMs = 3_600_000;

function notice(pod: string, changes: Partial<AlertNotice> = {}): AlertNotice {
  return {
    labels: [
      ['alertname', 'Down'],
      ['pod', pod],
      ['team', 'core'],
    ],
    annotations: [
      ['runbook', 'http://r'],
      ['summary', `${pod} is down`],
    ],
    status: 'firing',
    startsAtMs: startMs,
    endsAtMs: startMs + 240_000,
    changedAtMs: startMs,
    sentAtMs: undefined,
    ...changes,
  };
}

const resolved = { status: 'resolved', endsAtMs: startMs + 60_000, changedAtMs: startMs + 60_000 } as const;

class Harness {
  readonly clock = new FakeClock(startMs);
  readonly logged: string[] = [];
  delivered = 0;
  readonly notifier: Notifier;

  constructor(receivers: Partial<NotifierOptions>) {
    const log = (fields: unknown, text?: string) => this.logged.push(`${JSON.stringify(fields)} ${text}`);
    this.notifier = new Notifier({
      webhooks: [],
      alertmanagers: [],
      externalUrl: 'http://sonde',
      clock: this.clock,
      log: { info: log, warn: log, error: log } as NotifierOptions['log'],
      ...receivers,
    });
  }

  send(notices: readonly AlertNotice[], timeMs = startMs): void {
    const batch: NoticeBatch = {
      tenant: 'acme',
      namespace: 'team',
      group: 'web',
      rule: 'Down',
      generatorUrl: 'http://sonde/graph?g0.expr=up',
      timeMs,
      notices,
      delivered: () => this.delivered++,
    };
    this.notifier.send(batch);
  }
}

test('a webhook gets Alertmanager’s JSON', async () => {
  await using receiver = await startWebhookReceiver();
  const harness = new Harness({ webhooks: [`${receiver.url}/hook?token=secret`] });
  harness.send([notice('a'), notice('b', resolved)]);
  await until('the webhook is told', () => harness.delivered === 1);
  expect(receiver.received[0].url).toBe('/hook?token=secret');
  expect(receiver.received[0].headers).toMatchObject({
    'content-type': 'application/json',
    'x-scope-orgid': 'acme',
  });
  expect(receiver.received[0].body).toEqual({
    version: '4',
    groupKey: 'acme/team/web:{alertname="Down"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'webhook',
    groupLabels: { alertname: 'Down' },
    commonLabels: { alertname: 'Down', team: 'core' },
    commonAnnotations: { runbook: 'http://r' },
    externalURL: 'http://sonde',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Down', pod: 'a', team: 'core' },
        annotations: { runbook: 'http://r', summary: 'a is down' },
        startsAt: '2026-01-02T03:04:05.000Z',
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'http://sonde/graph?g0.expr=up',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
      {
        status: 'resolved',
        labels: { alertname: 'Down', pod: 'b', team: 'core' },
        annotations: { runbook: 'http://r', summary: 'b is down' },
        startsAt: '2026-01-02T03:04:05.000Z',
        endsAt: '2026-01-02T03:05:05.000Z',
        generatorURL: 'http://sonde/graph?g0.expr=up',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  });
  await harness.notifier.stop();
});

test('an Alertmanager gets its own API’s JSON, also every resend', async () => {
  await using receiver = await startWebhookReceiver();
  const harness = new Harness({ alertmanagers: [`${receiver.url}/am/`] });
  harness.send([notice('a')]);
  harness.send([notice('a')], startMs + 60_000);
  await until('both are delivered', () => harness.delivered === 2);
  expect(receiver.received.map(({ url }) => url)).toEqual(['/am/api/v2/alerts', '/am/api/v2/alerts']);
  expect(receiver.received[0].body).toEqual([
    {
      labels: { alertname: 'Down', pod: 'a', team: 'core' },
      annotations: { runbook: 'http://r', summary: 'a is down' },
      startsAt: '2026-01-02T03:04:05.000Z',
      endsAt: '2026-01-02T03:08:05.000Z',
      generatorURL: 'http://sonde/graph?g0.expr=up',
    },
  ]);
  await harness.notifier.stop();
});

test('a webhook hears once that an alert fires, again after four hours, and once that it is resolved', async () => {
  await using receiver = await startWebhookReceiver();
  const harness = new Harness({ webhooks: [receiver.url] });
  const rounds: [number, AlertNotice][] = [
    [0, notice('a')],
    [60_000, notice('a')],
    [4 * hourMs, notice('a')],
    [5 * hourMs, notice('a', resolved)],
    [5 * hourMs + 60_000, notice('a', resolved)],
    [6 * hourMs, notice('a', { changedAtMs: startMs + 6 * hourMs })],
  ];
  for (const [index, [afterMs, one]] of rounds.entries()) {
    harness.send([one], startMs + afterMs);
    await until('the round is settled', () => harness.delivered === index + 1);
  }
  expect(receiver.received.map(({ body }) => body.status)).toEqual([
    'firing',
    'firing',
    'resolved',
    'firing',
  ]);
  await harness.notifier.stop();
});

test('what the process before this one has delivered is not told again', async () => {
  await using receiver = await startWebhookReceiver();
  const harness = new Harness({ webhooks: [receiver.url] });
  harness.send([
    notice('told', { sentAtMs: startMs + 1 }),
    notice('told before it was resolved', { ...resolved, sentAtMs: startMs + 1 }),
    notice('never told'),
  ]);
  await until('it is settled', () => harness.delivered === 1);
  expect(
    receiver.received[0].body.alerts.map((alert: { labels: { pod: string } }) => alert.labels.pod),
  ).toEqual(['told before it was resolved', 'never told']);
  await harness.notifier.stop();
});

test('a receiver that answers 503 is tried again after growing pauses', async () => {
  await using receiver = await startWebhookReceiver();
  receiver.statuses.push(503, 429, 200);
  const harness = new Harness({ webhooks: [receiver.url] });
  harness.send([notice('a')]);
  await until('the first answer', () => harness.clock.sleeperCount === 1);
  expect(receiver.received.length).toBe(1);
  await harness.clock.advance(1000);
  await until('the second answer', () => receiver.received.length === 2 && harness.clock.sleeperCount === 1);
  await harness.clock.advance(1999);
  expect(receiver.received.length).toBe(2);
  await harness.clock.advance(1);
  await until('the third answer', () => harness.delivered === 1);
  expect(harness.notifier.status()).toMatchObject([{ sent: 1, retried: 2, messageCount: 0 }]);
  await harness.notifier.stop();
});

test('a refused message is dropped, counted and logged without the URL’s secrets; the next resend tells it again', async () => {
  await using receiver = await startWebhookReceiver();
  receiver.statuses.push(400);
  const url = receiver.url.replace('http://', 'http://user:password@');
  const harness = new Harness({ webhooks: [`${url}/hook/secret-path?token=secret`] });
  harness.send([notice('a')]);
  await until('it is dropped', () => harness.notifier.status()[0].dropped.refused === 1);
  expect(receiver.received[0].headers.authorization).toBe(`Basic ${btoa('user:password')}`);
  expect(harness.logged).toHaveLength(1);
  expect(harness.logged[0]).toContain('"fact":"answered 400"');
  expect(harness.logged[0]).not.toMatch(/secret|password/);
  harness.send([notice('a')], startMs + 60_000);
  await until('it is delivered', () => harness.delivered === 1);
  expect(receiver.received).toHaveLength(2);
  await harness.notifier.stop();
});

test('a redirect is not followed', async () => {
  await using receiver = await startWebhookReceiver();
  receiver.statuses.push(302);
  const harness = new Harness({ webhooks: [receiver.url] });
  harness.send([notice('a')]);
  await until('it is dropped', () => harness.notifier.status()[0].dropped.refused === 1);
  expect(receiver.received.map(({ url }) => url)).toEqual(['/']);
  await harness.notifier.stop();
});

test('a receiver that is down for long: the message is dropped after six tries, and the alert is not delivered', async () => {
  const receiver = await startWebhookReceiver();
  await receiver[Symbol.asyncDispose]();
  const harness = new Harness({ webhooks: [receiver.url] });
  harness.send([notice('a')]);
  // While the first message is on its way the resend is no news, and must not count as delivered.
  harness.send([notice('a')], startMs + 60_000);
  for (const pauseMs of [1000, 2000, 4000, 8000, 16_000]) {
    await until('the try fails', () => harness.clock.sleeperCount === 1);
    await harness.clock.advance(pauseMs);
  }
  await until('it is dropped', () => harness.notifier.status()[0].dropped.unreachable === 1);
  expect(harness.delivered).toBe(0);
  expect(harness.logged[0]).toContain('ECONNREFUSED');
  await harness.notifier.stop();
});

test('a full queue drops its oldest messages and counts their alerts', async () => {
  const harness = new Harness({ alertmanagers: ['http://127.0.0.1:1/'] });
  // The first is with the sender, 300 wait, three are too many.
  for (let index = 0; index < 304; index++) harness.send([notice('a'), notice('b')]);
  expect(harness.notifier.status()[0].dropped.queue_full).toBe(6);
  expect(harness.notifier.status()[0].messageCount).toBe(300);
  await harness.notifier.stop();
});

test('many alerts go in several messages', async () => {
  await using receiver = await startWebhookReceiver();
  const harness = new Harness({ webhooks: [receiver.url] });
  harness.send(Array.from({ length: 150 }, (_, index) => notice(`pod-${index}`)));
  await until('all are delivered', () => harness.delivered === 1);
  expect(receiver.received.map(({ body }) => body.alerts.length)).toEqual([64, 64, 22]);
  await harness.notifier.stop();
});

test('a URL that is none is refused without showing it', () => {
  expect(() => new Harness({ webhooks: ['not a url with secret'] })).toThrow(
    'a URL for notifications cannot be read (it is not shown: it may hold a secret)',
  );
  expect(() => new Harness({ webhooks: ['file:///etc/secret'] })).toThrow(
    'must begin with http:// or https://, not file:',
  );
});
