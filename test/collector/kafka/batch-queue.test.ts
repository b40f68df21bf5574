/**
 * Goal: runs are cut within their limits, cover every offset once, and can be cut again exactly as they were.
 * Method: a table of queues and limits, runs shown as "first-last:batches".
 */
import { afterAll, expect, test } from 'vitest';
import { BatchQueue, type Run } from '#collector/kafka/batch-queue.ts';
import { MessageReader } from '#collector/kafka/message-reader.ts';
import { runRequests, runToken } from '#collector/kafka/run-requests.ts';
import { createConverterPool } from '#wire/conversion/converter-pool.ts';
import type { KafkaRecord, RecordBatch } from '#wire/kafka/record-batch.ts';

const message = (offset: number, text = 'body', headers = {}): KafkaRecord => ({
  offset,
  timestampMs: 1000 + offset,
  key: null,
  value: Buffer.from(text),
  headers,
});

/** Bodies are text here: without their type they would be taken for what they are. */
const typed = (offset: number, text: string, headers = {}): KafkaRecord =>
  message(offset, text, { 'content-type': 'application/x-protobuf', ...headers });

const reader = new MessageReader({
  pool: createConverterPool(),
  bodyBytesMax: 1_000_000,
  isTextTaken: false,
});
afterAll(() => reader.close());

/** [first, last] with a message for each offset, or none where it is empty. */
function batch(first: number, last = first, isEmpty = false): RecordBatch {
  return {
    baseOffset: first,
    lastOffset: last,
    recordCount: isEmpty ? 0 : last - first + 1,
    firstTimestampMs: 1000 + first,
    appendTimestampMs: undefined,
    codec: 0,
    bytes: Buffer.alloc(isEmpty ? 0 : 4),
    plainBytes: isEmpty ? 0 : 100,
  };
}

function filled(batches: readonly RecordBatch[], position: number, start = batches[0]!.baseOffset) {
  const queue = new BatchQueue();
  queue.reset(start);
  queue.append(batches, position, 0);
  return queue;
}

const show = ({ range, batches }: Run): string =>
  `${range.first}-${range.last}:${batches.map(({ baseOffset }) => baseOffset).join(',')}`;

const place = { signal: 'logs', topic: 'otlp_logs', partition: 3 } as const;

const wide = { bytesMax: 1e9, messagesMax: 1e9 };

test.each([
  { name: 'all that is there', batches: [batch(5, 6), batch(7)], position: 8, limits: wide, run: '5-7:5,7' },
  {
    name: 'no more messages than allowed',
    batches: [batch(5, 6), batch(7)],
    position: 8,
    limits: { ...wide, messagesMax: 2 },
    run: '5-6:5',
  },
  {
    name: 'no more bytes than allowed',
    batches: [batch(5), batch(6), batch(7)],
    position: 8,
    limits: { ...wide, bytesMax: 1300 },
    run: '5-6:5,6',
  },
  {
    name: 'one batch at least, however large',
    batches: [batch(5, 8), batch(9)],
    position: 10,
    limits: { messagesMax: 1, bytesMax: 1 },
    run: '5-8:5',
  },
  {
    name: 'offsets that hold nothing, too',
    batches: [batch(5), batch(6, 7, true), batch(8)],
    position: 12,
    limits: wide,
    run: '5-11:5,8',
  },
  {
    name: 'empty batches along with the first message',
    batches: [batch(5, 5, true), batch(6)],
    position: 7,
    limits: { messagesMax: 1, bytesMax: 1 },
    run: '5-6:6',
  },
  {
    name: 'a gap before the first message',
    batches: [batch(9)],
    position: 10,
    start: 5,
    limits: wide,
    run: '5-9:9',
  },
])('a run takes $name', ({ batches, position, limits, run, start }) => {
  expect(show(filled(batches, position, start).takeRun(limits, 0))).toBe(run);
});

test('runs follow each other without a gap, and nothing stays behind', () => {
  const queue = filled([batch(5), batch(6), batch(9)], 12);
  const limits = { ...wide, messagesMax: 1 };
  expect([1, 2, 3].map(() => show(queue.takeRun(limits, 0)))).toEqual(['5-5:5', '6-8:6', '9-11:9']);
  expect([queue.bytes, queue.isEmpty, queue.isFull({ bytesMax: 1, messagesMax: 1 })]).toEqual([
    0,
    true,
    false,
  ]);
  expect(() => queue.takeRun(limits, 0)).toThrow(/^BUG:/);
});

test('a run is repeated exactly, however its messages come in this time', () => {
  const queue = filled([batch(5)], 6);
  expect(queue.takeExactly({ first: 5, last: 8 }, 0)).toBeUndefined();
  queue.append([batch(7)], 8, 0);
  expect(queue.takeExactly({ first: 5, last: 8 }, 0)).toBeUndefined();
  queue.append([batch(8), batch(9)], 10, 0);
  expect(show(queue.takeExactly({ first: 5, last: 8 }, 0)!)).toBe('5-8:5,7,8');
  expect(show(queue.takeRun(wide, 0))).toBe('9-9:9');
});

test('a repeated run may end within a batch: what is behind it comes next', () => {
  const queue = filled([batch(5, 9)], 10);
  expect(show(queue.takeExactly({ first: 5, last: 7 }, 0)!)).toBe('5-7:5');
  expect(show(queue.takeRun(wide, 0))).toBe('8-9:5');
});

test('what waits is as old as its first message', () => {
  const queue = filled([batch(5, 5, true), batch(6), batch(7)], 8);
  expect(queue.oldestTimestampMs).toBe(1006);
  queue.takeRun(wide, 0);
  expect(queue.oldestTimestampMs).toBeUndefined();
});

test('the token of a run names its place and its last message', () => {
  const token = (text: string): string =>
    runToken('otlp_logs', 3, { first: 5, last: 6 }, [message(5), message(6, text)]);
  expect(token('a')).toMatch(/^otlp_logs\/3\/5-6\/[0-9a-f]{8}$/);
  expect(token('a')).toBe(token('a'));
  expect(token('a')).not.toBe(token('b'));
});

test.each([
  {
    name: 'without headers belongs to the default tenant',
    message: message(1, '\n\0'),
    shown: 'logs default \n\0',
  },
  {
    name: 'with a tenant belongs to it',
    message: typed(1, 'x', { tenant: Buffer.from('team-a') }),
    shown: 'logs team-a x',
  },
  {
    name: 'whose header is repeated counts once',
    message: typed(1, 'x', { tenant: [Buffer.from('a'), Buffer.from('b')] }),
    shown: 'logs a x',
  },
  {
    name: 'of another content type is a dead letter',
    message: typed(1, 'x', { 'content-type': 'avro/binary' }),
    shown:
      'dead default: content-type "avro/binary" is not supported: send application/x-protobuf or application/json',
  },
  {
    name: 'of an impossible tenant is a dead letter',
    message: typed(1, 'x', { tenant: '../etc' }),
    shown: 'dead default: the tenant in X-Scope-OrgID has a character that is not allowed: "../etc"',
  },
  {
    name: 'without a value is a dead letter',
    message: { ...message(1), value: null },
    shown: 'dead default: the message has no value',
  },
])('a message $name', async ({ message: only, shown }) => {
  const { requests, deadLetters } = await runRequests(place, [only], reader);
  const lines = [
    ...requests.map(({ signal, tenant, bytes }) => `${signal} ${tenant} ${Buffer.from(bytes).toString()}`),
    ...deadLetters.map(({ tenant, reason }) => `dead ${tenant}: ${reason}`),
  ];
  expect(lines).toEqual([shown]);
});

test("a foreign message is known by its place and content, an agent's by its batch id", async () => {
  const noteOf = async (only: KafkaRecord, topic = 'otlp_logs') =>
    (await runRequests({ ...place, topic }, [only], reader)).requests[0]!.note;
  const foreign = typed(7, 'body', { tenant: 'a' });
  expect(await noteOf(foreign)).toMatch(/^[0-9a-f]{8}[A-Za-z0-9_-]{22}$/);
  expect(await noteOf(typed(7, 'body', { tenant: 'a' }))).toBe(await noteOf(foreign));
  const others = [typed(8, 'body', { tenant: 'a' }), typed(7, 'other', { tenant: 'a' })];
  for (const other of others) expect(await noteOf(other)).not.toBe(await noteOf(foreign));
  expect(await noteOf(foreign, 'made_anew')).not.toBe(await noteOf(foreign));
  const named = (offset: number) => typed(offset, 'body', { tenant: 'a', 'batch-id': 'b-1' });
  expect(await noteOf(named(9))).toBe(await noteOf(named(7)));
});

test('requests own their bytes: handing them over leaves the messages whole for a retry', async () => {
  const only = typed(1, 'body');
  const { requests } = await runRequests(place, [only], reader);
  structuredClone(requests[0]!.bytes, { transfer: [requests[0]!.bytes.buffer as ArrayBuffer] });
  expect(only.value!.toString()).toBe('body');
});

test('a log of nothing but aborted transactions takes no memory, and the next run covers it', () => {
  const queue = new BatchQueue();
  queue.reset(0);
  for (let offset = 0; offset < 1000; offset++) queue.append([batch(offset, offset, true)], offset + 1, 0);
  expect(queue.isEmpty).toBe(true);
  queue.append([batch(1000)], 1001, 0);
  expect(show(queue.takeRun(wide, 0))).toBe('0-1000:1000');
});
