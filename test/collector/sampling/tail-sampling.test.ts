/**
 * Goal: what is configured and cannot be had is refused with what to do instead, and what is kept counts for what it
 * stands for, in the store that people ask.
 * Method: configurations by example; sampled requests through the real pipeline into the embedded ClickHouse, asked with the
 * query of docs/tail-sampling.md.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MessageReader } from '#collector/kafka/message-reader.ts';
import { runRequests } from '#collector/kafka/run-requests.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { policiesSchema } from '#collector/sampling/policy-schema.ts';
import { samplingOptions } from '#collector/sampling/sampling-options.ts';
import { countBypassedTraces, createTailSampling } from '#collector/sampling/tail-sampling.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createConverterPool } from '#wire/conversion/converter-pool.ts';

const defaults = Object.fromEntries(
  Object.entries(samplingOptions).map(([key, { default: value }]) => [key, value]),
) as unknown as Parameters<typeof createTailSampling>[0];
const policies = policiesSchema.parse([
  { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
  { name: 'eighth', type: 'probabilistic', probabilistic: { sampling_percentage: 12.5 } },
]);
const directory = mkdtempSync(join(tmpdir(), 'sonde-sampling-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('without policies nothing is sampled, with or without Kafka', () => {
  expect(createTailSampling(defaults, true)).toBeUndefined();
  expect(
    createTailSampling({ ...defaults, 'sampling.tenant_policies': { shop: [] } }, false),
  ).toBeUndefined();
});

test.each([
  {
    name: 'policies without Kafka',
    options: { 'sampling.policies': policies },
    isOnKafka: false,
    says: /needs transport.kind kafka: .* must be answered when it is stored.*OTEL_TRACES_SAMPLER/,
  },
  {
    name: 'policies of one tenant without Kafka',
    options: { 'sampling.tenant_policies': { shop: policies } },
    isOnKafka: false,
    says: /needs transport.kind kafka/,
  },
  {
    name: 'a memory that is shorter than the wait',
    options: { 'sampling.policies': policies, 'sampling.late_wait': '29s' },
    isOnKafka: true,
    says: /late_wait \(29s\) is shorter than decision_wait \(30s\)/,
  },
  {
    name: 'no wait',
    options: { 'sampling.policies': policies, 'sampling.decision_wait': '0' },
    isOnKafka: true,
    says: /decision_wait must be above 0/,
  },
])('$name is refused', ({ options, isOnKafka, says }) => {
  expect(() => createTailSampling({ ...defaults, ...options }, isOnKafka)).toThrow(says);
});

test('a sink for pushes stays what it is, and waits for room as before', async () => {
  const said: string[] = [];
  const whenRoom = async (): Promise<void> => undefined;
  const sink = Object.assign(async () => ({ accepted: 1, rejected: 0, reason: '' }), { whenRoom });
  const counting = countBypassedTraces(sink, { ...silentKafkaLog, warn: (_, text) => said.push(text) });
  expect(counting.whenRoom).toBe(whenRoom);
  const envelope = {
    signal: 'traces',
    tenant: 't',
    batchId: 'b',
    key: 'k',
    bytes: new Uint8Array(0),
  } as const;
  await counting({ ...envelope, signal: 'logs' });
  expect(said).toEqual([]);
  for (let count = 0; count < 2; count++)
    expect(await counting(envelope)).toEqual({ accepted: 1, rejected: 0, reason: '' });
  expect(said).toEqual(['traces that are pushed to this collector are not sampled: send them to an agent']);
});

test('counts of sampled spans are those of all spans, by the query in the documentation', async () => {
  const store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  const pipeline = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 64 * 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 30 * 86_400_000,
    now: Date.now,
  });
  const reader = new MessageReader({
    pool: createConverterPool(),
    bodyBytesMax: 10_000_000,
    isTextTaken: false,
  });
  try {
    const traceCount = 4000;
    const spans = Array.from({ length: traceCount }, (_, trace) => {
      const traceId = Buffer.alloc(16, 3);
      // Evenly spread randomness, so that an eighth of it is an eighth of the traces.
      traceId.writeUInt32BE(Math.floor((trace / traceCount) * 2 ** 32), 9);
      return {
        traceId,
        spanId: Buffer.alloc(8, 5),
        name: trace % 10 === 0 ? 'failing' : 'fine',
        startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
        // Half of them were sampled at 50 % by their SDK before, and stand for two.
        ...(trace >= traceCount / 2 && trace % 10 !== 0 ? { traceState: 'ot=th:8' } : {}),
        ...(trace % 10 === 0 ? { status: { code: 2 } } : {}),
      };
    });
    const sampling = createTailSampling({ ...defaults, 'sampling.policies': policies }, true)!;
    const gate = sampling.gateOf(1);
    gate.reset(0, 0);
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
    const value = Buffer.from(encodeTraceRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }));
    gate.push([{ offset: 0, timestampMs: 0, key: null, headers: {}, value }], 1, true, 0);
    const { messages } = gate.flush();
    const place = { signal: 'traces', topic: 't', partition: 0 } as const;
    const { requests } = await runRequests(place, messages, reader);
    const [outcome] = await pipeline.insertRun(requests, 't/0/0-0/x');
    const failing = traceCount / 10;
    expect(outcome!.accepted).toBe(failing + (traceCount - failing) / 8);
    const document = readFileSync(join(import.meta.dirname, '../../../docs/tail-sampling.md'), 'utf8');
    const sql = /```sql\n([^`]*adjusted[^`]*)```/.exec(document)![1]!;
    const rows = await store.rows<{ name: string; spans: number; stored: string }>(sql, {
      params: { tenant: 'default', service: 'shop' },
    });
    const byName = Object.fromEntries(rows.map(({ name, spans: count }) => [name, Math.round(count)]));
    expect(byName.failing).toBe(failing);
    expect(Math.abs(byName.fine! / (traceCount - failing) - 1)).toBeLessThan(0.01);
  } finally {
    await reader.close();
    await pipeline.close();
    await store.close();
  }
});
