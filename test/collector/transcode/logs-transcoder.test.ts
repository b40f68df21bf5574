/**
 * Goal: the rows of `logs` are what a plain reading of the OTLP request gives, whatever fields it has.
 * Method: generated requests go both ways into the engine, as our Native block and as JSON rows of a naive decoder;
 * count and checksum over all columns must agree. Then a table of what people ask about.
 */
import { afterAll, expect, test } from 'vitest';
import type { RequestOutcome } from '#collector/run.ts';
import { type PromotedField, parsePromotedFields } from '#collector/transcode/promoted-fields.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { Lcg } from '../../support/lcg.ts';
import { naiveLogRows } from '../../support/naive/naive-logs.ts';
import { encodeLogsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs, logsRequest } from '../../support/otlp-generator.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;
let tableCount = 0;

/** Transcodes requests as one run into a new table and returns its name. */
function transcode(
  requests: readonly { tenant?: string; bytes: Uint8Array }[],
  oldestUnixMs = Number.NEGATIVE_INFINITY,
  promotedFields: readonly PromotedField[] = [],
): { table: string; outcomes: readonly RequestOutcome[] } {
  const { blocks, outcomes } = createTranscoder({ ...transcoderOptionsDefault, promotedFields })({
    requests: requests.map(({ tenant = 'default', bytes }) => ({ signal: 'logs', tenant, bytes })),
    nowUnixMs,
    oldestUnixMs,
    seriesEpoch: 0,
  });
  const table = `logs_${tableCount++}`;
  engine.createTable(table, 'logs');
  for (const block of blocks) {
    expect(block.table).toBe('logs');
    engine.insertBlock(table, 'logs', block.parts);
  }
  return { table, outcomes };
}

/** Transcodes one record and returns columns of its row. */
function rowOf(record: ProtoObject, columns: string): unknown[] {
  const bytes = encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });
  const { table } = transcode([{ bytes }]);
  return engine.rows(`SELECT ${columns} FROM ${table}`).flatMap((row) => Object.values(row));
}

test('generated requests of several tenants give the rows of the naive decoder', () => {
  const random = new Lcg(1);
  const requests = Array.from({ length: 40 }, (_, i) => ({
    tenant: `tenant-${i % 3}`,
    bytes: encodeLogsRequest(logsRequest(random)),
  }));
  const oldestUnixMs = generatorUnixMs + 600_000;
  const { table, outcomes } = transcode(requests, oldestUnixMs);
  const rows = requests.flatMap(({ tenant, bytes }) =>
    naiveLogRows(bytes, { tenant, nowUnixMs, oldestUnixMs }),
  );
  engine.createTable('logs_naive', 'logs');
  engine.insertRows('logs_naive', 'logs', rows);
  expect(rows.length).toBeGreaterThan(500);
  expect(outcomes.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(rows.length);
  expect(outcomes.some(({ rejections }) => rejections.some(({ reason }) => reason === 'too_old'))).toBe(true);
  expect(engine.checksum(table, 'logs')).toEqual(engine.checksum('logs_naive', 'logs'));
});

test('generated requests, fields of their bodies promoted, give the rows of the naive decoder', () => {
  const random = new Lcg(7);
  const requests = Array.from({ length: 60 }, () => ({ bytes: encodeLogsRequest(logsRequest(random)) }));
  const promotedFields = parsePromotedFields(['user.id', 'retry', 'peer=retry', 'peer.user.id', 'ä key=ä']);
  const { table } = transcode(requests, Number.NEGATIVE_INFINITY, promotedFields);
  const task = { tenant: 'default', nowUnixMs, oldestUnixMs: Number.NEGATIVE_INFINITY };
  const rows = requests.flatMap(({ bytes }) => naiveLogRows(bytes, { ...task, promotedFields }));
  engine.createTable('logs_promoted', 'logs');
  engine.insertRows('logs_promoted', 'logs', rows);
  expect(engine.checksum(table, 'logs')).toEqual(engine.checksum('logs_promoted', 'logs'));
  expect(rows).not.toEqual(requests.flatMap(({ bytes }) => naiveLogRows(bytes, task)));
});

test('a request with more than 256 attribute keys and 65536 values', () => {
  const random = new Lcg(2);
  const logRecords = Array.from({ length: 300 }, (_, i) => ({
    timeUnixNano: BigInt(generatorUnixMs) * 1_000_000n,
    body: { stringValue: `line ${i}` },
    attributes: Array.from({ length: 230 }, (_, k) => ({
      key: `key-${i}-${k}`,
      value: { stringValue: String(random.int(1e9)) },
    })),
  }));
  const bytes = encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  const { table } = transcode([{ bytes }]);
  const task = { tenant: 'default', nowUnixMs, oldestUnixMs: Number.NEGATIVE_INFINITY };
  engine.createTable('logs_wide', 'logs');
  engine.insertRows('logs_wide', 'logs', naiveLogRows(bytes, task));
  expect(engine.checksum(table, 'logs')).toEqual(engine.checksum('logs_wide', 'logs'));
});

test.each([
  { name: 'a string', body: { stringValue: 'GET /' }, text: 'GET /' },
  {
    name: 'an integer beyond 2^53',
    body: { intValue: '-9223372036854775808' },
    text: '-9223372036854775808',
  },
  { name: 'zero', body: { intValue: 0 }, text: '0' },
  { name: 'a double', body: { doubleValue: 0.1 }, text: '0.1' },
  { name: 'a bool', body: { boolValue: false }, text: 'false' },
  { name: 'bytes', body: { bytesValue: new Uint8Array([1, 2, 255]) }, text: 'AQL/' },
  {
    name: 'a map, in its own order',
    body: {
      kvlistValue: {
        values: [
          {
            key: 'b',
            value: {
              arrayValue: { values: [{ intValue: '9007199254740993' }, {}, { doubleValue: Number.NaN }] },
            },
          },
          { key: '1', value: { stringValue: '"\n' } },
        ],
      },
    },
    text: '{"b":[9007199254740993,null,"NaN"],"1":"\\"\\n"}',
  },
  { name: 'an empty array', body: { arrayValue: {} }, text: '[]' },
  { name: 'nothing', body: {}, text: '' },
])('the body is text: $name', ({ body, text }) => {
  expect(rowOf({ body }, 'body')).toEqual([text]);
});

test.each([
  { severityNumber: 9, severityText: 'ERROR', level: 'info' },
  { severityNumber: 1, severityText: '', level: 'trace' },
  { severityNumber: 24, severityText: '', level: 'fatal' },
  { severityNumber: 0, severityText: 'WARNING', level: 'warn' },
  { severityNumber: 0, severityText: ' err ', level: 'error' },
  { severityNumber: 0, severityText: 'Info2', level: 'info' },
  { severityNumber: 0, severityText: 'whatever', level: 'unknown' },
  { severityNumber: 0, severityText: '', level: 'unknown' },
  { severityNumber: 25, severityText: 'debug', level: 'debug' },
  { severityNumber: -3, severityText: '', level: 'unknown' },
])('severity $severityNumber "$severityText" is level $level', ({ level, ...record }) => {
  expect(rowOf(record, 'level')).toEqual([level]);
});

test('a record without a time takes the observed one, and without that the time of arrival', () => {
  const observedTimeUnixNano = 1_600_000_000_000_000_001n;
  expect(rowOf({ observedTimeUnixNano }, 'toString(ts), toString(observed_ts)')).toEqual([
    '2020-09-13 12:26:40.000000001',
    '2020-09-13 12:26:40.000000001',
  ]);
  expect(rowOf({}, 'toUnixTimestamp64Milli(ts) AS t, toUnixTimestamp64Milli(observed_ts) AS o')).toEqual([
    String(nowUnixMs),
    String(nowUnixMs),
  ]);
});

test('times that are not stored are refused by reason', () => {
  const record = (timeUnixNano: bigint) => ({ timeUnixNano, body: { stringValue: 'x' } });
  const seconds = 2n ** 32n;
  const dayAhead = BigInt(nowUnixMs + 86_400_000) * 1_000_000n;
  const bytes = encodeLogsRequest({
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: [
              record(seconds * 1_000_000_000n),
              record(2n ** 64n - 1n),
              record(seconds * 1_000_000_000n - 1n),
              record(dayAhead + 1_000_000n),
              record(dayAhead + 999_999n),
              record(999_999n),
            ],
          },
        ],
      },
    ],
  });
  const { table, outcomes } = transcode([{ bytes }], 1);
  expect(outcomes[0]).toMatchObject({
    accepted: 1,
    rejections: [
      { reason: 'out_of_range', count: 2, message: 'the time 4294967296000 ms is not between 1970 and 2106' },
      {
        reason: 'too_far_ahead',
        count: 2,
        message: `the time 2106-02-07T06:28:15.999Z is more than a day ahead of the collector's clock, ${new Date(nowUnixMs).toISOString()}`,
      },
      {
        reason: 'too_old',
        count: 1,
        message:
          'the time 1970-01-01T00:00:00.000Z is before the oldest that is kept, 1970-01-01T00:00:00.001Z',
      },
    ],
  });
  const [{ ms } = {}] = engine.rows(`SELECT toUnixTimestamp64Milli(ts) AS ms FROM ${table}`);
  expect(Number(ms)).toBe(nowUnixMs + 86_400_000);
});

test('ids of a wrong length become zeros', () => {
  const columns = 'lower(hex(trace_id)), lower(hex(span_id))';
  expect(rowOf({ traceId: new Uint8Array([1, 2]), spanId: new Uint8Array(7).fill(1) }, columns)).toEqual([
    '0'.repeat(32),
    '0'.repeat(16),
  ]);
  expect(
    rowOf({ traceId: new Uint8Array(16).fill(0xab), spanId: new Uint8Array(8).fill(1) }, columns),
  ).toEqual(['ab'.repeat(16), '01'.repeat(8)]);
});

test('bytes that are not UTF-8 are kept as they are', () => {
  // resource_logs { scope_logs { log_records { body { string_value: ff fe } attributes { key: ff value { ... } } } } }
  const attribute = [0x32, 0x09, 0x0a, 0x01, 0xff, 0x12, 0x04, 0x0a, 0x02, 0xc3, 0x28];
  const record = [0x2a, 0x04, 0x0a, 0x02, 0xff, 0xfe, ...attribute];
  const scopeLogs = [0x12, record.length, ...record];
  const resourceLogs = [0x12, scopeLogs.length, ...scopeLogs];
  const { table } = transcode([{ bytes: Uint8Array.from([0x0a, resourceLogs.length, ...resourceLogs]) }]);
  expect(
    engine.rows(
      `SELECT hex(body) AS b, hex(mapKeys(attrs)[1]) AS k, hex(mapValues(attrs)[1]) AS v FROM ${table}`,
    ),
  ).toEqual([{ b: 'FFFE', k: 'FF', v: 'C328' }]);
});

test('a resource that comes after its records, and one that is split in two, count for all of them', () => {
  const text = (value: string) => [...new TextEncoder().encode(value)];
  const message = (tag: number, bytes: number[]) => [tag, bytes.length, ...bytes];
  const attribute = (key: string, value: string) =>
    message(0x0a, [...message(0x0a, text(key)), ...message(0x12, message(0x0a, text(value)))]);
  const record = message(0x12, message(0x2a, message(0x0a, text('hi'))));
  const scope = message(0x0a, message(0x0a, text('lib')));
  const bytes = Uint8Array.from(
    message(0x0a, [
      ...message(0x12, [...record, ...scope, ...record]),
      ...message(0x0a, attribute('service.name', 'cart')),
      ...message(0x0a, attribute('zone', 'b')),
    ]),
  );
  const { table } = transcode([{ bytes }]);
  const row = {
    service: 'cart',
    scope_name: 'lib',
    labels: { 'service.name': 'cart', zone: 'b' },
    body: 'hi',
  };
  expect(engine.rows(`SELECT service, scope_name, labels, body FROM ${table}`)).toEqual([row, row]);
});

test('the order of resource attributes does not change the stream', () => {
  const streamOf = (attributes: ProtoObject[]) => {
    const bytes = encodeLogsRequest({
      resourceLogs: [
        { resource: { attributes }, scopeLogs: [{ logRecords: [{ body: { stringValue: 'x' } }] }] },
      ],
    });
    return engine.rows(`SELECT stream_id FROM ${transcode([{ bytes }]).table}`)[0];
  };
  const a = { key: 'a', value: { stringValue: '1' } };
  const b = { key: 'b', value: { stringValue: '2' } };
  expect(streamOf([a, b])).toEqual(streamOf([b, a]));
  expect(streamOf([a, b])).not.toEqual(streamOf([a]));
});

test('an empty request is accepted and makes no block', () => {
  const { blocks, outcomes } = createTranscoder()({
    requests: [{ signal: 'logs', tenant: 'default', bytes: new Uint8Array(0) }],
    nowUnixMs,
    oldestUnixMs: 0,
    seriesEpoch: 0,
  });
  expect(blocks).toEqual([]);
  expect(outcomes).toEqual([{ accepted: 0, repeated: 0, rejections: [], decodeError: undefined }]);
});

test('a record without a severity has the level that an attribute or its line names', () => {
  const record = (body: object, attributes: Record<string, string> = {}, severityText = '') => ({
    timeUnixNano: BigInt(generatorUnixMs) * 1_000_000n,
    body,
    severityText,
    attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
  });
  const line = (stringValue: string) => ({ stringValue });
  const logRecords = [
    record(line('2026-11-26 ERROR broken')),
    record(line('{"level":"warn"}')),
    record(line(`level=debug ${'x'.repeat(300)}`)),
    record(line('INFO but the attribute knows better'), { thread: 'main', 'log.level': 'fatal' }),
    record(line('ERROR but the sender said so'), {}, 'custom'),
    record(line('nothing to see')),
    record({ intValue: 7 }),
    record({}),
  ];
  const { table } = transcode([
    { bytes: encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }) },
  ]);
  const rows = engine.rows<{ level: string; severity: number }>(`SELECT level, severity FROM ${table}`);
  expect(rows.map(({ level }) => level)).toEqual([
    'error',
    'warn',
    'debug',
    'fatal',
    'unknown',
    'unknown',
    'unknown',
    'unknown',
  ]);
  expect(rows.every(({ severity }) => severity === 0)).toBe(true);
});
