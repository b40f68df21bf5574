/**
 * Goal: letters that their topic never takes hold a partition up for as long as was configured, and no longer, whatever
 * becomes of the letters of others; and what is given up is named.
 * Method: a topic with a small limit on a real broker, and letters that fit or do not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { DeadLetterOffice } from '#collector/kafka/dead-letters.ts';
import { RefusalClock } from '#collector/kafka/refusal-clock.ts';
import type { DeadLetter } from '#collector/kafka/run-requests.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka } from '#wire/kafka/client.ts';

// Topics appear slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const letter = (reason: string, offset = 0): DeadLetter => ({
  message: { offset, timestampMs: 1_700_000_000_000, key: null, value: Buffer.from('body'), headers: {} },
  tenant: 'a',
  reason,
});
const never = new AbortController().signal;
const noise = Array.from({ length: 1000 }, (_, index) =>
  String.fromCharCode(0x100 + ((index * 7919) % 5000)),
).join('');

test('refusals that lie far apart are not of one trouble', () => {
  const clock = new RefusalClock();
  expect(clock.refusedForMs(1000, 50)).toBe(0);
  expect(clock.refusedForMs(1040, 50)).toBe(40);
  expect(clock.refusedForMs(1090, 50)).toBe(90);
  expect(clock.refusedForMs(1141, 50)).toBe(0);
  expect(clock.refusedForMs(1150, 50)).toBe(9);
  clock.clear();
  expect(clock.refusedForMs(1160, 50)).toBe(0);
});

describeKafka('letters', (kafka) => {
  let topics = 0;
  /** An office whose topic takes batches of so many bytes. */
  async function open(bytesMax: number, waitMs: number) {
    const { brokers } = kafka();
    const errors: object[] = [];
    const client = createKafka({ brokers, clientId: 'test', log: silentKafkaLog });
    const topic = `letters-${process.pid}-${topics++}`;
    const admin = client.admin();
    await admin.connect();
    const configEntries = [{ name: 'max.message.bytes', value: String(bytesMax) }];
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1, configEntries }] });
    await admin.disconnect();
    const log = {
      ...silentKafkaLog,
      error: (fields: object, message: string) => errors.push({ ...fields, message }),
    };
    const office = new DeadLetterOffice({ kafka: client, topic, createTopic: undefined, waitMs, log });
    await eventually(() => office.ensureTopic());
    return { office, errors };
  }

  test('that are too large even without body and headers are given up after the wait, and named', async () => {
    const { office, errors } = await open(60, 1000);
    const source = { topic: 'logs', partition: 3 };
    expect(await office.post([letter('one', 7), letter('two', 8)], source, never)).toBe(2);
    expect(errors).toMatchObject([
      { ...source, offset: 7, reason: 'one', message: /larger than the max message size.*given up/ },
      { ...source, offset: 8, reason: 'two' },
    ]);
    expect(office.trouble).toMatch(/^dead letters cannot be written/);
    await office.close();
  });

  test('of one partition that are never taken are given up, while those of others are taken', async () => {
    const { office, errors } = await open(700, 3000);
    const given = new AbortController();
    const taking = (async () => {
      for (let offset = 0; !given.signal.aborted; offset++) {
        expect(await office.post([letter('short', offset)], { topic: 'logs', partition: 1 }, never)).toBe(0);
        await delay(50);
      }
    })();
    const source = { topic: 'logs', partition: 0 };
    const patience = AbortSignal.timeout(60_000);
    const stuck = office.post([letter(noise)], source, patience);
    expect(await stuck.finally(() => given.abort())).toBe(1);
    await taking;
    expect(errors).toMatchObject([source]);
    await office.close();
  });
});
