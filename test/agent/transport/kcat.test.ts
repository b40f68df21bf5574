/**
 * Goal: what the agent puts on a topic is what any Kafka client reads: OTLP, with its facts in headers.
 * Method: the log agent on a real broker, and Debian's kcat (librdkafka) as the reader.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { hasTool } from '#test/support/debian-tool.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { contentTypeOtlp, headerBatchId, headerContentType, headerTenant } from '#wire/bus.ts';
import {
  numberedBodies,
  numberedLines,
  startAgent,
  temporaryDirectory,
  until,
} from '../logs/log-agent-run.ts';
import { decodeRecords } from '../logs/log-text.ts';
import type { RecordingTransport } from '../logs/recording-transport.ts';

interface ReadMessage {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
}

/** Reads all messages of a topic: headers, key and value are printed with the value's length before it. */
function readTopic(brokers: readonly string[], topic: string): ReadMessage[] {
  const args = ['-C', '-q', '-e', '-b', brokers.join(), '-t', topic, '-f', '%h\n%k\n%S\n%s\n'];
  const { stdout, stderr, status } = spawnSync('kcat', args, { maxBuffer: 64 * 1024 * 1024 });
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
  const messages: ReadMessage[] = [];
  let position = 0;
  const line = (): string => {
    const end = stdout.indexOf(0x0a, position);
    const text = stdout.toString('utf8', position, end);
    position = end + 1;
    return text;
  };
  while (position < stdout.length) {
    const headers = Object.fromEntries(
      line()
        .split(',')
        .map((pair) => pair.split('=') as [string, string]),
    );
    const key = line();
    const length = Number(line());
    messages.push({ headers, key, value: stdout.subarray(position, position + length) });
    position += length + 1;
  }
  return messages;
}

describeKafka('kcat reads our topics', (kafka) => {
  test.runIf(hasTool('kcat', 'kcat', '-V'))('log lines of a file, each once, in their order', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'a.log'), numberedLines(1, 5000));
    const topic = `kcat-${process.pid}-logs`;
    const { brokers } = kafka();
    const topics = { logs: topic, traces: `${topic}-t`, metrics: `${topic}-m`, remote_write: `${topic}-r` };
    const createTopics = { partitions: 2, replicationFactor: 1 };
    const transport = createKafkaTransport({
      brokers,
      clientId: 'kcat-test',
      topics,
      createTopics,
      log: silentKafkaLog,
    });
    const { agent } = startAgent(directory, {
      transport: transport as unknown as RecordingTransport,
      batchBytesMax: 20_000,
    });
    await until('all is durable', () => agent.counters().recordsDelivered === 5000);
    await agent.stop({ drainMs: 1000 });
    await transport.close();
    const messages = readTopic(brokers, topic);
    expect(messages.length).toBeGreaterThan(2);
    for (const { headers, key } of messages) {
      expect(headers).toMatchObject({ [headerTenant]: 'acme', [headerContentType]: contentTypeOtlp });
      expect(headers[headerBatchId]).toMatch(/^[0-9a-f]{16}-\d+-[0-9a-f]{8}$/);
      expect(key).toBe('acme/node-1/0');
    }
    const bodies = messages.flatMap(({ value }) => decodeRecords(value).map(({ body }) => body));
    expect(bodies).toEqual(numberedBodies(1, 5000));
  });
});
