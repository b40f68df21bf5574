/**
 * Goal: collectors that are processes of their own divide a group's partitions, and however many they are, the store ends up
 * with the same rows.
 * Method: the same messages for one, two and four `sonde collector`s, a real Kafka and a real engine; counts and checksums.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterAll, expect, test } from 'vitest';
import { type StoreProcess, startCollectors, startStoreProcess } from '#test/support/collector-fleet.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { SondeProcess } from '#test/support/sonde-process.ts';
import { topicDefaults } from '#wire/bus.ts';
import { createKafka } from '#wire/kafka/client.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-scale-out-'));
const running: { end(): Promise<unknown> }[] = [];
const partitions = 8;
const messagesPerPartition = 40;
const recordsPerMessage = 50;
const recordCount = partitions * messagesPerPartition * recordsPerMessage;
const timeMs = Date.now();

afterAll(async () => {
  for (const each of running) await each.end();
  rmSync(directory, { recursive: true, force: true });
});

describeKafka('scale-out', (kafka) => {
  const results: string[] = [];

  test.each([1, 2, 4])(
    '%i collectors share the work, and store the same',
    { timeout: 300_000 },
    async (count) => {
      const store = await startStoreProcess(join(directory, `store-${count}`));
      running.push({ end: async () => store.child.kill('SIGKILL') });
      const topic = `${topicDefaults.logs}-${count}`;
      const fleet = await startCollectors({
        count,
        brokers: kafka().brokers,
        storeUrl: store.url,
        groupId: `scale-${count}`,
        environment: { SONDE_TRANSPORT_KAFKA_TOPICS_LOGS: topic },
      });
      running.push(...fleet.map((each) => ({ end: () => each.end('SIGKILL') })));
      await produce(topic);
      await expect
        .poll(() => stored(store), { timeout: 120_000, interval: 250 })
        .toMatch(`${recordCount} rows`);
      results.push(await stored(store));
      expect(new Set(results).size).toBe(1);
      const metrics = await (await fetch(`${fleet[0]!.otlpUrl}/metrics`)).text();
      for (const name of ['lag', 'lag_seconds', 'topic_lag', 'delay_bucket', 'record_delay_bucket', 'held'])
        expect(metrics).toContain(`sonde_kafka_consumer_${name}{`);
      const shares = await Promise.all(fleet.map(storedBy));
      expect(shares.reduce((total, share) => total + share, 0)).toBe(recordCount);
      // Partitions are shared out evenly, and hold the same.
      expect(shares).toEqual(Array(count).fill(recordCount / count));
      store.child.kill('SIGKILL');
    },
  );

  async function produce(topic: string): Promise<void> {
    const client = createKafka({ brokers: kafka().brokers, clientId: 'test', log: silentKafkaLog });
    // A topic that is new gets its leaders slowly on a busy machine.
    const producer = client.producer({
      retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 },
    });
    await producer.connect();
    for (let partition = 0; partition < partitions; partition++) {
      const messages = Array.from({ length: messagesPerPartition }, (_, index) => ({
        partition,
        value: body(partition, index),
        headers: { tenant: `t${index % 3}`, 'batch-id': `${partition}-${index}` },
      }));
      await producer.send({ topic, compression: kafkajs.CompressionTypes.ZSTD, messages });
    }
    await producer.disconnect();
  }
});

function body(partition: number, index: number): Buffer {
  const logRecords = Array.from({ length: recordsPerMessage }, (_, record) => ({
    timeUnixNano: `${timeMs + index}000000`,
    body: { stringValue: `partition ${partition} message ${index} record ${record}` },
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: `shop-${partition}` } }] };
  return Buffer.from(encodeLogsRequest({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }));
}

async function stored(store: StoreProcess): Promise<string> {
  const { rows, bodies, hash } = await store.row(
    `SELECT count() AS rows, uniqExact(body) AS bodies, sum(cityHash64(tenant, service, toString(ts), body)) AS hash
     FROM sonde.logs WHERE tenant != ''`,
  );
  return `${rows} rows, ${bodies} bodies, ${hash}`;
}

/** Ends it, and reads what it says that it has stored. */
async function storedBy(collector: SondeProcess): Promise<number> {
  expect(await collector.end('SIGTERM'), collector.output()).toBe(0);
  return Number(/stored (\d+) records in/.exec(collector.output())?.[1]);
}
