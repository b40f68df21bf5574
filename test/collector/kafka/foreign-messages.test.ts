/**
 * Goal: what stock producers write to the topics is in the tables, once each, and what is not read is a letter.
 * Method: recorded messages of the Collector's exporter and of Prometheus, sent by real clients (kafkajs, librdkafka's kcat
 * with each compression, Kafka's own console producer) through a real Kafka into the real store; then read again by another
 * group, which must change nothing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hasTool } from '#test/support/debian-tool.ts';
import { exporterMessages, remoteWriteMessages } from '#test/support/foreign-messages.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { runJavaProducer } from '#test/support/kafka-installation.ts';
import { KafkaToStore } from '#test/support/kafka-to-store.ts';

// Each test has a store, topics and several connections of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describeKafka('messages of foreign producers', (kafka) => {
  let world: KafkaToStore;
  beforeEach(async () => {
    world = await KafkaToStore.open(kafka().brokers);
  });
  afterEach(() => world.close());

  test("the Collector exporter's encodings land as the same rows, under the tenant of its header", async () => {
    for (const signal of ['logs', 'traces', 'metrics'] as const) {
      const messages = exporterMessages().filter((each) => each.signal === signal);
      await world.send(
        world.topics[signal],
        messages.map(({ key, headers, value }) => ({ key, headers, value })),
      );
    }
    const consumer = await world.consume();
    await world.drained(consumer);
    expect(consumer.status().counters).toMatchObject({ dead_letters: 7, dead_letters_lost: 0, rejected: 0 });

    const logs = await world.store.rows<{ n: string; body: string }>(
      `SELECT count() AS n, body FROM logs WHERE tenant = 'team-a' GROUP BY body ORDER BY body`,
    );
    // Twice each: otlp_proto, otlp_json; the line of `raw` has a third.
    expect(logs.map(({ n, body }) => `${n} ${body}`)).toEqual([
      `2 ${Buffer.from('plain bytes').toString('base64')}`,
      '3 order 1 "paid"',
      '2 {"event":"paid","amount":3}',
    ]);
    const spans = await world.store.rows<{ n: string; name: string }>(
      `SELECT count() AS n, name FROM spans WHERE tenant = 'team-a' GROUP BY name ORDER BY name`,
    );
    // otlp_proto, otlp_json, zipkin_json.
    expect(spans).toEqual([
      { n: '3', name: 'span 1' },
      { n: '3', name: 'span 2' },
    ]);
    expect(await world.count('samples_head', "tenant = 'team-a'")).toBeGreaterThanOrEqual(3);
    expect(await world.count('logs', "tenant != 'team-a'")).toBe(0);
  });

  test('a message without a batch id is one batch: who reads the topic again lands nothing twice', async () => {
    const [logs] = exporterMessages();
    const json = exporterMessages().find(({ encoding }) => encoding === 'otlp_json')!;
    // Equal bytes at two places are two messages.
    await world.send(world.topics.logs, [
      { value: logs!.value },
      { value: logs!.value },
      { value: json.value },
    ]);
    await world.send(world.topics.logs, [{ value: 'a line', headers: { encoding: 'raw' } }], 1);
    const first = await world.consume();
    await world.drained(first);
    const count = await world.count('logs');
    expect(count).toBe(10);
    await first.stop();
    const again = await world.consume({}, '-again');
    await world.drained(again);
    expect(again.status().counters).toMatchObject({ messages: 4, accepted: 10 });
    expect(await world.count('logs')).toBe(count);
  });

  test('remote write lands plain and in snappy, of both versions', async () => {
    const messages = Object.entries(remoteWriteMessages()).map(([name, value]) => ({
      value,
      headers: { 'X-Scope-OrgID': name.replace(' ', '-') },
    }));
    const json = '{"name":"up","value":"1","timestamp":"2023-11-14T22:13:20Z","labels":{}}';
    await world.send(world.topics.remote_write, [...messages, { value: json }]);
    const consumer = await world.consume();
    await world.drained(consumer);
    expect(consumer.status().counters).toMatchObject({ accepted: 12, dead_letters: 1 });
    const rows = await world.store.rows<{ tenant: string; n: string; total: number }>(
      `SELECT tenant, count() AS n, sum(v) AS total FROM samples_head WHERE tenant != '' GROUP BY tenant ORDER BY tenant`,
    );
    const each = { n: '3', total: 12 };
    expect(rows).toEqual([
      { tenant: '1.0', ...each },
      { tenant: '1.0-snappy', ...each },
      { tenant: '2.0', ...each },
      { tenant: '2.0-snappy', ...each },
    ]);
  });

  test('a value may be compressed by itself where a header says so, and a bomb is a letter', async () => {
    const { zstdCompressSync, gzipSync } = await import('node:zlib');
    const [logs] = exporterMessages();
    await world.send(world.topics.logs, [
      { value: gzipSync(logs!.value), headers: { 'content-encoding': 'gzip' } },
      { value: zstdCompressSync(logs!.value), headers: { 'Content-Encoding': 'zstd' } },
      { value: gzipSync(Buffer.alloc(200_000)), headers: { 'content-encoding': 'gzip' } },
      { value: logs!.value, headers: { 'content-encoding': 'br' } },
    ]);
    const consumer = await world.consume({ bodyBytesMax: 100_000 });
    await world.drained(consumer);
    expect(consumer.status().counters).toMatchObject({ accepted: 6, dead_letters: 2 });
  });

  test('plain lines are log records where they are taken for it', async () => {
    await world.send(world.topics.logs, [
      { value: 'GET / 200', timestamp: '1700000000000' },
      { value: '{"level":"warn","msg":"slow"}', timestamp: '1700000000001' },
      { value: '{not json', timestamp: '1700000000002' },
    ]);
    const consumer = await world.consume({ takesPlainLogs: true });
    await world.drained(consumer);
    const rows = await world.store.rows<{ body: string; ms: string }>(
      `SELECT body, toUnixTimestamp64Milli(ts) AS ms FROM logs WHERE tenant != '' ORDER BY ts`,
    );
    expect(rows).toEqual([
      { body: 'GET / 200', ms: '1700000000000' },
      { body: '{"level":"warn","msg":"slow"}', ms: '1700000000001' },
      { body: '{not json', ms: '1700000000002' },
    ]);
  });

  test.runIf(hasTool('kcat', 'kcat', '-V'))('librdkafka with each compression', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-kcat-'));
    const traces = exporterMessages().find(({ signal }) => signal === 'traces')!;
    const path = join(directory, 'traces.bin');
    writeFileSync(path, traces.value);
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const { status, stderr } = spawnSync('kcat', [
        ...['-P', '-b', world.brokers[0]!, '-t', world.topics.traces, '-z', codec, '-k', codec],
        ...['-H', `X-Scope-OrgID=${codec}`, path],
      ]);
      expect(`${status} ${stderr}`).toMatch(/^0 /);
    }
    rmSync(directory, { recursive: true });
    const consumer = await world.consume();
    await world.drained(consumer);
    const rows = await world.store.rows<{ tenant: string; n: string }>(
      `SELECT tenant, count() AS n FROM spans WHERE tenant != '' GROUP BY tenant ORDER BY tenant`,
    );
    expect(rows.map(({ tenant, n }) => `${tenant} ${n}`)).toEqual([
      'gzip 2',
      'lz4 2',
      'none 2',
      'snappy 2',
      'zstd 2',
    ]);
  });

  test("Apache Kafka's own client with each compression", async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-java-producer-'));
    const json = exporterMessages().find(
      ({ signal, encoding }) => signal === 'metrics' && encoding === 'otlp_json',
    )!;
    const path = join(directory, 'metrics.json');
    writeFileSync(path, json.value);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    const run = runJavaProducer(world.brokers[0]!, world.topics.metrics, path, codecs);
    rmSync(directory, { recursive: true });
    if (run === undefined) skip('KAFKA_BROKERS is set, and Apache Kafka is not here');
    expect(`${run!.status} ${run!.stderr}`).toMatch(/^0 /);
    const consumer = await world.consume();
    await world.drained(consumer);
    expect(consumer.status().counters).toMatchObject({ messages: 10, dead_letters: 0 });
    const rows = await world.store.rows<{ tenant: string }>(
      `SELECT DISTINCT tenant FROM samples_head WHERE tenant != '' ORDER BY tenant`,
    );
    expect(rows.map(({ tenant }) => tenant)).toEqual([...codecs].sort());
  });
});
