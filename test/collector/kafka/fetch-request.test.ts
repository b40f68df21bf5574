/**
 * Goal: what brokers send is read as kafkajs reads it, but batch by batch, compressed, and partition by partition.
 * Method: a real broker, producers with every codec and with transactions; kafkajs's consumer as the judge. Damage is made
 * by hand from real bytes.
 */
import kafkajs, { type KafkaMessage, type ProducerRecord } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, openCluster } from '#collector/kafka/cluster.ts';
import { type FetchedPartition, fetchFrom } from '#collector/kafka/fetch-request.ts';
import { openRun } from '#collector/kafka/opened-run.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka, kafkaErrorType } from '#wire/kafka/client.ts';
import { type KafkaRecord, type RecordBatch, readBatches, readRecords } from '#wire/kafka/record-batch.ts';

const wide = 1e9;
const topic = `fetch-${process.pid}`;
const compressible = 'abcdefgh '.repeat(20_000);

describeKafka('a fetch', (kafka) => {
  let cluster: Cluster;
  let judged: KafkaMessage[];
  let fetched: FetchedPartition;

  beforeAll(async () => {
    const client = createKafka({ brokers: kafka().brokers, clientId: 'test', log: silentKafkaLog });
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    await admin.disconnect();
    await produceAll(client);
    const reader = client.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
    judged = [];
    await reader.connect();
    await reader.subscribe({ topic, fromBeginning: true });
    await reader.run({ eachMessage: async ({ message }) => void judged.push(message) });
    await eventually(() => String(judged.at(-1)?.value) === 'last');
    await reader.disconnect();
    cluster = openCluster(client, topic).cluster;
    await cluster.connect();
    await cluster.addMultipleTargetTopics([topic]);
    [fetched] = await fetchAll(0);
  }, 60_000);
  afterAll(() => cluster?.disconnect());

  async function fetchAll(offset: number, partitions = [0]): Promise<readonly FetchedPartition[]> {
    const leader = cluster.findTopicPartitionMetadata(topic)[0]!.leader;
    return await fetchFrom(await cluster.findBroker({ nodeId: String(leader) }), {
      waitMsMax: 100,
      bytesMax: wide,
      topics: [
        {
          topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: String(offset),
            maxBytes: wide,
          })),
        },
      ],
    });
  }

  const show = ({ offset, timestampMs, key, value, headers }: KafkaRecord) => ({
    offset,
    timestampMs,
    key: key?.toString(),
    value: value?.toString(),
    headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, JSON.stringify(each)])),
  });
  const recordOf = ({ offset, timestamp, key, value, headers }: KafkaMessage): KafkaRecord => ({
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key,
    value,
    headers: headers ?? {},
  });

  test('has the messages that kafkajs has: every codec, headers, tombstones, no markers and nothing aborted', async () => {
    const batches = readBatches(fetched.log, 0, fetched.aborted);
    const records = (await Promise.all(batches.map((batch) => readRecords(batch, wide)))).flat();
    expect(records.map(show)).toEqual(judged.map(recordOf).map(show));
    expect(new Set(batches.map(({ codec }) => codec))).toEqual(new Set([0, 1, 4]));
    expect(records.some(({ value }) => String(value) === 'aborted')).toBe(false);
    expect(fetched.aborted).toHaveLength(1);
  });

  test('covers every offset, and stays as small as it came', () => {
    const batches = readBatches(fetched.log, 0, fetched.aborted);
    for (const [index, { baseOffset }] of batches.entries())
      expect(baseOffset).toBe((batches[index - 1]?.lastOffset ?? -1) + 1);
    expect(batches.at(-1)!.lastOffset + 1).toBe(fetched.highWatermark);
    const held = batches.reduce((total, { bytes }) => total + bytes.buffer.byteLength, 0);
    expect(held).toBeLessThanOrEqual(fetched.log.length);
    const large = batches.find(({ plainBytes }) => plainBytes > compressible.length)!;
    expect(large.bytes.length).toBeLessThan(compressible.length / 10);
    // Ours states what it becomes: no more than a record's own bytes above the value.
    expect(large.plainBytes).toBeLessThan(compressible.length + 100);
  });

  test('that begins within a batch has the whole batch, and none before it', async () => {
    const [from] = await fetchAll(1);
    const batches = readBatches(from!.log, 1, from!.aborted);
    expect(batches[0]!.baseOffset).toBeLessThanOrEqual(1);
    expect(batches[0]!.lastOffset).toBeGreaterThanOrEqual(1);
  });

  test('tells the partition that fails apart from the one that does not', async () => {
    const both = await fetchAll(0, [0, 7]);
    expect(both.map(({ partition, error }) => `${partition} ${kafkaErrorType(error)}`).sort()).toEqual([
      '0 undefined',
      '7 UNKNOWN_TOPIC_OR_PARTITION',
    ]);
    const [beyond] = await fetchAll(1_000_000);
    expect(kafkaErrorType(beyond!.error)).toBe('OFFSET_OUT_OF_RANGE');
  });

  test('that is cut off gives the batches before the cut', () => {
    const all = readBatches(fetched.log, 0, fetched.aborted);
    const cut = readBatches(fetched.log.subarray(0, fetched.log.length - 1), 0, fetched.aborted);
    expect(cut.map(({ baseOffset }) => baseOffset)).toEqual(
      all.slice(0, -1).map(({ baseOffset }) => baseOffset),
    );
    expect(readBatches(fetched.log.subarray(0, 60), 0, [])).toEqual([]);
  });

  test('whose bytes were damaged on the way is refused', () => {
    const damaged = Buffer.from(fetched.log);
    damaged[70]! ^= 1;
    expect(() => readBatches(damaged, 0, [])).toThrow('the record batch at offset 0 is damaged (CRC)');
    const old = Buffer.from(fetched.log);
    old[16] = 1;
    expect(() => readBatches(old, 0, [])).toThrow('message format 1 is of Kafka before 0.11');
  });

  const runOf = (batch: RecordBatch) => ({
    range: { first: batch.baseOffset, last: batch.lastOffset },
    batches: [batch],
    bytes: batch.bytes.length,
    plainBytes: batch.plainBytes,
    bodyBytes: 0,
  });

  test('of a batch that holds more than it seemed to is opened with more room, step by step', async () => {
    const batch = readBatches(fetched.log, 0, []).find(({ plainBytes }) => plainBytes > compressible.length)!;
    let run = await openRun(runOf({ ...batch, plainBytes: 1000 }));
    const steps: number[] = [];
    while (!('messages' in run)) {
      steps.push(run.plainBytes);
      run = await openRun(run);
    }
    expect(steps).toEqual([8000, 64_000, 512_000]);
    expect(run.messages.map(({ value }) => value?.length)).toEqual([compressible.length]);
  });

  test('of a batch that cannot be opened becomes one dead letter with its bytes', async () => {
    const batch = readBatches(fetched.log, 0, []).find(({ codec }) => codec === 4)!;
    let run = await openRun(runOf({ ...batch, bytes: Buffer.from('no zstd') }));
    while (!('messages' in run)) run = await openRun(run);
    expect(run.messages).toEqual([]);
    expect(run.deadLetters).toHaveLength(1);
    expect(run.deadLetters[0]!.message.value!.toString()).toBe('no zstd');
    expect(run.deadLetters[0]!.reason).toMatch(
      /^the record batch \(compression 4, here as it came\) cannot be read: /,
    );
  });
});

async function produceAll(client: ReturnType<typeof createKafka>): Promise<void> {
  const { CompressionTypes } = kafkajs;
  const records: Omit<ProducerRecord, 'topic'>[] = [
    {
      messages: [
        { value: 'first', key: 'k' },
        { value: 'second', timestamp: '1700000000000' },
      ],
    },
    { compression: CompressionTypes.GZIP, messages: [{ value: 'gzip' }, { value: null, key: 'tombstone' }] },
    {
      compression: CompressionTypes.ZSTD,
      messages: [
        { value: 'zstd', headers: { tenant: 'a', twice: ['x', 'y'], empty: '' } },
        { value: '', timestamp: '1700000000001' },
      ],
    },
    { compression: CompressionTypes.ZSTD, messages: [{ value: compressible }] },
  ];
  const producer = client.producer();
  await producer.connect();
  for (const record of records) await producer.send({ topic, ...record });
  const transactional = client.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
  await transactional.connect();
  for (const outcome of ['committed', 'aborted', 'committed too'] as const) {
    const transaction = await transactional.transaction();
    await transaction.send({ topic, messages: [{ value: outcome }] });
    if (outcome === 'aborted') await transaction.abort();
    else await transaction.commit();
  }
  await transactional.disconnect();
  await producer.send({ topic, messages: [{ value: 'last' }] });
  await producer.disconnect();
}
