/**
 * Goal: attributes give the same text in whatever way protobuf allows to write them, beside ones in the common form.
 * Method: hand-encoded KeyValue messages between two common ones, in a log record, read back from the engine.
 */
import { afterAll, expect, test } from 'vitest';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { NativeEngine } from '../../support/native-engine.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());
let tableCount = 0;

const bytesOf = (text: string): number[] => [...Buffer.from(text)];
const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
const field = (tag: number, bytes: readonly number[]): number[] => [tag, ...varint(bytes.length), ...bytes];
const key = (text: string): number[] => field(0x0a, bytesOf(text));
const value = (any: readonly number[]): number[] => field(0x12, any);
const string = (text: string): number[] => field(0x0a, bytesOf(text));
const int = (number: number): number[] => [0x18, ...varint(number)];

/** The pairs of a record with these fields, and its body. */
function rowOf(fields: readonly number[]): { pairs: unknown; body: unknown } {
  const time = [0x09, 0, 0, 0xc0, 0x77, 0x98, 0x6b, 0x97, 0x17];
  const record = [...time, ...fields];
  const bytes = Uint8Array.from(field(0x0a, field(0x12, field(0x12, record))));
  const { blocks, outcomes } = createTranscoder()({
    requests: [{ signal: 'logs', tenant: 'default', bytes }],
    nowUnixMs: 1_700_000_000_000,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  });
  expect(outcomes[0]!.decodeError).toBeUndefined();
  const table = `attributes_${tableCount++}`;
  engine.createTable(table, 'logs');
  engine.insertBlock(table, 'logs', blocks[0]!.parts);
  const [row] = engine.rows(
    `SELECT arrayZip(mapKeys(attrs), mapValues(attrs)) AS pairs, body FROM ${table}`,
  ) as { pairs: unknown; body: unknown }[];
  return row!;
}

const long = 'x'.repeat(127);
const longer = 'x'.repeat(128);

test.each<[what: string, pair: number[], expected: [string, string]]>([
  ['an empty key and an empty string', [...key(''), ...value(string(''))], ['', '']],
  ['a value before its key', [...value(string('v')), ...key('k')], ['k', 'v']],
  ['a key without a value', key('k'), ['k', '']],
  ['nothing at all', [], ['', '']],
  ['a value without a kind', [...key('k'), ...value([])], ['k', '']],
  ['a key that comes twice', [...key('a'), ...key('k'), ...value(string('v'))], ['k', 'v']],
  ['a field that we do not know after the value', [...key('k'), ...value(string('v')), 0x18, 1], ['k', 'v']],
  ['a key of 127 bytes', [...key(long), ...value(string('v'))], [long, 'v']],
  ['a key of 128 bytes', [...key(longer), ...value(string('v'))], [longer, 'v']],
  ['a string of 128 bytes', [...key('k'), ...value(string(longer))], ['k', longer]],
  ['a length in more bytes than it needs', [0x0a, 0x81, 0, 0x6b, ...value(string('v'))], ['k', 'v']],
  ['a text whose length is so', [...key('k'), ...value([0x0a, 0x81, 0, 0x76])], ['k', 'v']],
  ['the integer 0', [...key('k'), ...value(int(0))], ['k', '0']],
  ['the largest integer of one byte', [...key('k'), ...value(int(127))], ['k', '127']],
  ['the smallest of two', [...key('k'), ...value(int(128))], ['k', '128']],
  ['the largest of four', [...key('k'), ...value(int(2 ** 28 - 1))], ['k', '268435455']],
  ['the smallest of five', [...key('k'), ...value(int(2 ** 28))], ['k', '268435456']],
  ['an integer in more bytes than it needs', [...key('k'), ...value([0x18, 0x87, 0])], ['k', '7']],
  ['two integers, of which the last counts', [...key('k'), ...value([0x18, 5, 0x18, 7])], ['k', '7']],
  ['an integer after a string', [...key('k'), ...value([...string('v'), ...int(7)])], ['k', '7']],
  ['a boolean', [...key('k'), ...value([0x10, 1])], ['k', 'true']],
])('%s', (_, pair, expected) => {
  const common = (name: string, text: string) => field(0x32, [...key(name), ...value(string(text))]);
  const { pairs } = rowOf([...common('before', '1'), ...field(0x32, pair), ...common('after', '2')]);
  expect(pairs).toEqual([['before', '1'], expected, ['after', '2']]);
});

test('attributes whose tag takes two bytes, or with other fields between them', () => {
  const pair = (name: string) => [...key(name), ...value(string('v'))];
  const { pairs } = rowOf([
    ...field(0x32, pair('a')),
    0xb2,
    0,
    ...varint(pair('b').length),
    ...pair('b'),
    ...[0x10, 9],
    ...field(0x32, pair('c')),
  ]);
  expect(pairs).toEqual([
    ['a', 'v'],
    ['b', 'v'],
    ['c', 'v'],
  ]);
});

test.each([0, 1, 125, 126, 127, 128, 129, 16_382, 16_383, 16_384])('a body of %i bytes', (length) => {
  const text = 'b'.repeat(length);
  expect(rowOf(field(0x2a, string(text))).body).toBe(text);
});

test('a body of 127 bytes whose length takes two bytes', () => {
  const text = 'b'.repeat(127);
  expect(rowOf(field(0x2a, [0x0a, 0xff, 0, ...bytesOf(text)])).body).toBe(text);
});

test("an event's name comes before the attributes, wherever it is on the wire", () => {
  const pair = [...key('event.name'), ...value(string('attribute'))];
  const name = field(0x62, bytesOf('field'));
  const expected = [
    ['event.name', 'field'],
    ['event.name', 'attribute'],
  ];
  expect(rowOf([...field(0x32, pair), ...name]).pairs).toEqual(expected);
  expect(rowOf([...name, ...field(0x32, pair)]).pairs).toEqual(expected);
});
