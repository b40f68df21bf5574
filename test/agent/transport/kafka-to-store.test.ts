/**
 * Goal: what the producer cuts, divides and repeats is in the tables once.
 * Method: envelopes are sent by two starts of an agent through a real Kafka into the embedded store, and rows are counted.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { startKafkaConsumer } from '#collector/kafka/consumer.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { encodeLogsRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Envelope } from '#wire/envelope.ts';
import { envelope } from './conformance.case.ts';
import { topicsOf } from './kafka-reading.ts';

const nowMs = Math.floor(Date.now() / 1000) * 1000;
const nano = `${nowMs}000000`;
const noise = (bytes: number) => randomBytes(bytes).toString('base64');
const count = 60;
const numbers = Array.from({ length: count }, (_, id) => id);

const logs = encodeLogsRequest({
  resourceLogs: [
    {
      scopeLogs: [
        {
          logRecords: numbers.map((id) => ({
            timeUnixNano: nano,
            body: { stringValue: `${id} ${noise(1500)}` },
          })),
        },
      ],
    },
  ],
});
const traces = encodeTraceRequest({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: numbers.map(() => ({
            traceId: randomBytes(16),
            spanId: randomBytes(8),
            name: 'a',
            startTimeUnixNano: nano,
            endTimeUnixNano: nano,
          })),
        },
      ],
    },
  ],
});
const remoteWrite = encodeRemoteWrite2({
  symbols: ['', '__name__', 'up', 'instance', ...numbers.map(() => noise(1500))],
  timeseries: numbers.map((id) => ({
    labelsRefs: [1, 2, 3, 4 + id],
    samples: [{ value: id, timestamp: nowMs }],
  })),
});

describeKafka('from the producer to the tables', (kafka) => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-kafka-to-store-'));
  let store: Store;
  let pipeline: Pipeline;
  beforeAll(async () => {
    store = await openEmbeddedStore({ path: directory });
    await migrate(store);
    pipeline = createPipeline({
      store,
      workers: 1,
      inflightBytesMax: 64 * 1024 * 1024,
      group: { rowsMax: 250_000, ageMsMax: 5 },
      retentionMs: 0,
      now: () => nowMs,
      transcoder: transcoderOptionsDefault,
    });
  }, 120_000);
  afterAll(async () => {
    await pipeline?.close();
    await store?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('requests in parts that are sent again after a restart are stored once', async () => {
    const { brokers } = kafka();
    const topics = topicsOf('to-store');
    const createTopics = { partitions: 4, replicationFactor: 1, messageBytesMax: 20_000 };
    const sent: Envelope[] = [
      envelope({ bytes: logs }),
      envelope({ signal: 'traces', bytes: traces }),
      envelope({ signal: 'remote_write', bytes: remoteWrite }),
    ];
    let messages = 0;
    for (const _ of ['first start', 'second start']) {
      const transport = createKafkaTransport({
        brokers,
        clientId: 'test-agent',
        topics,
        createTopics,
        log: silentKafkaLog,
      });
      const deliveries = await Promise.all(sent.map((each) => transport.send(each)));
      expect(deliveries.map(({ rejected }) => rejected)).toEqual([0, 0, 0]);
      messages += transport.counters.total('messages');
      await transport.close();
    }
    // Each of the three was cut or divided.
    expect(messages).toBeGreaterThan(2 * 2 * sent.length);
    const consumer = await startKafkaConsumer({
      brokers,
      groupId: `to-store-${process.pid}`,
      topics,
      deadLetterTopic: `to-store-${process.pid}-dead`,
      createTopics,
      insertRun: pipeline.insertRun,
      // Several runs, so that repeats are in other ones than what they repeat.
      limits: { runMessagesMax: 2, runAgeMsMax: 50 },
      log: silentKafkaLog,
    });
    await eventually(
      () => consumer.status().counters.messages === messages,
      () => consumer.status(),
    );
    expect(consumer.status().counters).toMatchObject({ rejected: 0, dead_letters: 0 });
    await consumer.stop();
    const countOf = async (sql: string) => {
      const [row] = await store.rows<{ n: string }>(`SELECT ${sql} AND tenant = 'team-a'`);
      return Number(row?.n);
    };
    expect(await countOf('count() AS n FROM logs WHERE 1')).toBe(count);
    expect(await countOf('count() AS n FROM spans WHERE 1')).toBe(count);
    expect(await countOf('count() AS n FROM series WHERE 1')).toBe(count);
    expect(await countOf('count() AS n FROM samples_head WHERE 1')).toBe(count);
  });
});
