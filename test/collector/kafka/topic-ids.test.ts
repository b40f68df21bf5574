/**
 * Goal: a topic's id is that of the topic which is there when it is asked for, and many who ask at once send two requests.
 * Method: a topic on a real broker, deleted and made again; a broker that counts; an answer that is cut off everywhere.
 */
import { expect, test, vi } from 'vitest';
import { type Broker, openCluster } from '#collector/kafka/cluster.ts';
import { decodeTopicId, topicIdOf } from '#collector/kafka/topic-id-request.ts';
import { TopicIds } from '#collector/kafka/topic-ids.ts';
import { DecodeError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka } from '#wire/kafka/client.ts';

// Topics appear slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const place = { signal: 'logs', topic: 'a', partition: 0 } as const;
/** Metadata v10: no brokers, topic "a" with the id 01 02 ... 10. */
const answer = Buffer.from([
  ...[0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 1, 2, 0, 0, 2, 0x61],
  ...Array.from({ length: 16 }, (_, index) => index + 1),
]);

test('an answer is read to the id, and one that is cut off is refused', () => {
  expect(decodeTopicId(answer)).toEqual({
    errorCode: 0,
    id: 'AQIDBAUGBwgJCgsMDQ4PEA',
    clientSideThrottleTime: 9,
  });
  for (let length = 0; length < answer.length; length++)
    expect(() => decodeTopicId(answer.subarray(0, length))).toThrow(DecodeError);
});

test('who asks while a request is under way shares the next one with all others', async () => {
  const asked: PromiseWithResolvers<object>[] = [];
  const send = () => {
    asked.push(Promise.withResolvers<object>());
    return asked.at(-1)!.promise;
  };
  const broker = {
    nodeId: 1,
    versions: { 3: { maxVersion: 12 } },
    connectionPool: { send },
  } as unknown as Broker;
  const ids = new TopicIds(async () => broker);
  const first = ids.idNow(place);
  await eventually(() => asked.length === 1);
  const later = [ids.idNow(place), ids.idNow(place), ids.idNow(place)];
  asked[0]!.resolve({ id: 'old' });
  expect(await first).toBe('old');
  await eventually(() => asked.length === 2);
  asked[1]!.resolve({ id: 'new' });
  expect(await Promise.all(later)).toEqual(['new', 'new', 'new']);
  expect(asked).toHaveLength(2);
});

test('a broker from before topic ids has none', async () => {
  expect(await topicIdOf({ versions: { 3: { maxVersion: 9 } } } as unknown as Broker, 'a')).toBe('');
});

describeKafka("a topic's id", (kafka) => {
  test('is another one when the topic is made anew', async ({ skip }) => {
    if (!kafka().isOwned) skip('brokers of KAFKA_BROKERS may have no number 1');
    const client = createKafka({ brokers: kafka().brokers, clientId: 'test', log: silentKafkaLog });
    const topic = `ids-${process.pid}-${'x'.repeat(150)}`;
    const admin = client.admin();
    await admin.connect();
    const { cluster } = openCluster(client, topic);
    await cluster.connect();
    const idOf = async (): Promise<string | undefined> => {
      await cluster.refreshMetadata();
      return topicIdOf(await cluster.findBroker({ nodeId: '1' }), topic);
    };
    const make = async (): Promise<string> => {
      await eventually(() =>
        admin.createTopics({ waitForLeaders: false, topics: [{ topic }] }).catch(() => false),
      );
      return await eventually(() => idOf().catch(() => undefined));
    };
    const old = await make();
    expect(old).toMatch(/^[\w-]{22}$/);
    expect(await idOf()).toBe(old);
    await admin.deleteTopics({ topics: [topic] });
    await eventually(() =>
      idOf().then(
        () => false,
        (error: unknown) => /does not host/.test(String(error)),
      ),
    );
    const anew = await make();
    expect(anew).toMatch(/^[\w-]{22}$/);
    expect(anew).not.toBe(old);
    await admin.disconnect();
    await cluster.disconnect();
  });
});
