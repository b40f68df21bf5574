/**
 * Goal: every column sink writes what ClickHouse itself would read and write.
 * Method: fill sinks, let the engine read the bytes and compare its rows; where the form is canonical, compare with
 * the bytes that the engine writes for the same rows. No decoder of our own takes part.
 */
import { afterAll, expect, test } from 'vitest';
import { BlockWriter } from '#collector/transcode/block-writer.ts';
import type { Column } from '#collector/transcode/column.ts';
import { ArrayColumn } from '#collector/transcode/column-array.ts';
import { FixedColumn } from '#collector/transcode/column-fixed.ts';
import { LowCardinalityColumn } from '#collector/transcode/column-low-cardinality.ts';
import { MapColumn } from '#collector/transcode/column-map.ts';
import { StringColumn } from '#collector/transcode/column-string.ts';
import { textBytes } from '#collector/transcode/resource-scope.ts';
import { NativeEngine } from '../../support/native-engine.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const blocks = new WeakMap<Column, Uint8Array>();

/** One column `c` as a block of its own. Writing hands the values over: a column is written once. */
function block(column: Column, rowCount = column.count): Uint8Array {
  const written = blocks.get(column) ?? writeBlock(column, rowCount);
  blocks.set(column, written);
  return written;
}

function writeBlock(column: Column, rowCount: number): Uint8Array {
  const type = new TextEncoder().encode(column.type);
  const header = [1, ...varint(rowCount), 1, 0x63, type.length, ...type];
  const out = new BlockWriter();
  out.writeBytes(Uint8Array.from(header));
  if (rowCount > 0) {
    column.writePrefix(out);
    column.writeBody(out);
  }
  return Buffer.concat(out.finish());
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
}

function read(column: Column): unknown[] {
  return engine
    .rows<{ c: unknown }>(`SELECT c FROM ${engine.file(block(column), 'Native', `c ${column.type}`)}`)
    .map(({ c }) => c);
}

/** The engine reads our bytes and writes them again: equal where there is one way to write them. */
async function rewritten(column: Column): Promise<Buffer> {
  const source = engine.file(block(column), 'Native', `c ${column.type}`);
  return Buffer.from(await engine.native(`SELECT c FROM ${source}`));
}

function push(column: StringColumn | LowCardinalityColumn, text: string): void {
  const { bytes } = textBytes(text);
  column.pushRange(textBytes(text), 0, bytes.length);
}

function pushRow(map: MapColumn<StringColumn | LowCardinalityColumn>, row: Record<string, string>): void {
  for (const [key, value] of Object.entries(row)) {
    map.pushKey(textBytes(key), 0, textBytes(key).bytes.length);
    push(map.values, value);
  }
  map.endRow();
}

const words = ['', 'a', 'grüße', 'x'.repeat(127), 'y'.repeat(128), 'z'.repeat(300), '\n\n;drop table t', 'a'];

test('fixed-width columns hold integers, times and floats bit by bit', async () => {
  const id = new FixedColumn('UInt64');
  id.pushUint64(0xffffffff, 0xffffffff);
  id.pushUint64(1, 0);
  expect(read(id)).toEqual(['18446744073709551615', '1']);
  expect(await rewritten(id)).toEqual(Buffer.from(block(id)));

  const ts = new FixedColumn("DateTime64(9, 'UTC')");
  const nanos = 1_700_000_000_123_456_789n;
  ts.pushUint64(Number(nanos & 0xffffffffn), Number(nanos >> 32n));
  expect(read(ts)).toEqual(['2023-11-14 22:13:20.123456789']);

  const small = new FixedColumn('Int8');
  small.pushUint8(0xff);
  small.pushUint8(5);
  expect(read(small)).toEqual([-1, 5]);

  const date = new FixedColumn("DateTime('UTC')");
  date.pushUint32(0xffffffff);
  expect(read(date)).toEqual(['2106-02-07 06:28:15']);
});

test('a stale marker keeps its NaN payload', () => {
  const v = new FixedColumn('Float64');
  v.pushUint64(0x2, 0x7ff00000);
  const source = engine.file(block(v), 'Native', 'c Float64');
  expect(engine.rows(`SELECT hex(reinterpretAsUInt64(c)) AS h FROM ${source}`)).toEqual([
    { h: '7FF0000000000002' },
  ]);
});

test('strings of every length class, repeated and hostile ones', async () => {
  const column = new StringColumn();
  for (const word of words) push(column, word);
  column.pushEmpty();
  expect(read(column)).toEqual([...words, '']);
  expect(await rewritten(column)).toEqual(Buffer.from(block(column)));
});

test('low-cardinality values, the empty one included, are written as the engine writes them', async () => {
  const column = new LowCardinalityColumn();
  for (const word of words) push(column, word);
  expect(read(column)).toEqual(words);
  expect(await rewritten(column)).toEqual(Buffer.from(block(column)));
});

test.each([
  { keys: 255, width: 1 },
  { keys: 256, width: 2 },
  { keys: 65_535, width: 2 },
  { keys: 65_536, width: 4 },
])('$keys distinct values beside the empty one take indexes of $width bytes', ({ keys, width }) => {
  const column = new LowCardinalityColumn();
  for (let i = 0; i < keys; i++) push(column, `k${i}`);
  push(column, 'k0');
  expect(column.indexes.width).toBe(width);
  const source = engine.file(block(column), 'Native', `c ${column.type}`);
  expect(
    engine.rows(
      `SELECT count() AS n, countIf(c = concat('k', toString(if(rowNumberInAllBlocks() = ${keys}, 0, rowNumberInAllBlocks())))) AS equal FROM ${source}`,
    ),
  ).toEqual([{ n: String(keys + 1), equal: String(keys + 1) }]);
});

test('maps with string and with low-cardinality values, empty rows among them', async () => {
  const rows = [{ a: '1', b: 'two' }, {}, { b: 'two', 'long key': '' }, { a: '1', b: 'two' }];
  const strings = new MapColumn(new StringColumn());
  const codes = new MapColumn(new LowCardinalityColumn());
  for (const row of rows) {
    pushRow(strings, row);
    pushRow(codes, row);
  }
  expect(read(strings)).toEqual(rows);
  expect(read(codes)).toEqual(rows);
  expect(await rewritten(strings)).toEqual(Buffer.from(block(strings)));
  expect(await rewritten(codes)).toEqual(Buffer.from(block(codes)));
});

test('a map row of more positions than the memo remembers, and keys that swap places', () => {
  const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, `v${i}`]));
  const swapped = Object.fromEntries(Object.entries(wide).reverse());
  const map = new MapColumn(new StringColumn());
  pushRow(map, wide);
  pushRow(map, swapped);
  expect(read(map)).toEqual([wide, swapped]);
});

test('a repeated map row is there as often as asked, and not at all with 0', () => {
  const map = new MapColumn(new LowCardinalityColumn());
  const open = (row: Record<string, string>) => {
    for (const [key, value] of Object.entries(row)) {
      map.pushKey(textBytes(key), 0, key.length);
      push(map.values, value);
    }
  };
  open({ service: 'cart', zone: 'b' });
  map.endRowRepeated(5);
  open({ gone: 'x' });
  map.endRowRepeated(0);
  open({});
  map.endRowRepeated(2);
  open({ zone: 'c' });
  map.endRowRepeated(1);
  const cart = { service: 'cart', zone: 'b' };
  expect(read(map)).toEqual([cart, cart, cart, cart, cart, {}, {}, { zone: 'c' }]);
});

test('repeated rows whose indexes widen in between', () => {
  const map = new MapColumn(new LowCardinalityColumn());
  const expected: Record<string, string>[] = [];
  for (let i = 0; i < 600; i++) {
    map.pushKey(textBytes(`k${i}`), 0, `k${i}`.length);
    push(map.values, `v${i}`);
    map.endRowRepeated((i % 3) + 1);
    for (let n = 0; n <= i % 3; n++) expected.push({ [`k${i}`]: `v${i}` });
  }
  expect(read(map)).toEqual(expected);
});

test('arrays of every element type, empty ones among them', async () => {
  const times = new ArrayColumn(new FixedColumn("DateTime64(9, 'UTC')"));
  times.endRow();
  times.elements.pushUint64(0, 0);
  times.elements.pushUint64(1, 0);
  times.endRow();
  expect(read(times)).toEqual([[], ['1970-01-01 00:00:00.000000000', '1970-01-01 00:00:00.000000001']]);

  const names = new ArrayColumn(new LowCardinalityColumn());
  push(names.elements, 'start');
  push(names.elements, 'end');
  names.endRow();
  names.endRow();
  push(names.elements, 'start');
  names.endRow();
  expect(read(names)).toEqual([['start', 'end'], [], ['start']]);
  expect(await rewritten(names)).toEqual(Buffer.from(block(names)));

  const maps = new ArrayColumn(new MapColumn(new StringColumn()));
  pushRow(maps.elements, { a: '1' });
  pushRow(maps.elements, {});
  maps.endRow();
  maps.endRow();
  expect(read(maps)).toEqual([[{ a: '1' }, {}], []]);
  expect(await rewritten(maps)).toEqual(Buffer.from(block(maps)));
});

test.each([
  new ArrayColumn(new LowCardinalityColumn()),
  new ArrayColumn(new MapColumn(new StringColumn())),
  new ArrayColumn(new StringColumn()),
  new ArrayColumn(new FixedColumn('FixedString(16)')),
])('$type without any element in the block', async (column) => {
  column.endRow();
  column.endRow();
  expect(read(column)).toEqual([[], []]);
  expect(await rewritten(column)).toEqual(Buffer.from(block(column)));
});

test.each([new MapColumn(new StringColumn()), new MapColumn(new LowCardinalityColumn())])(
  '$type without any pair in the block',
  async (column) => {
    column.endRow();
    expect(read(column)).toEqual([{}]);
    expect(await rewritten(column)).toEqual(Buffer.from(block(column)));
  },
);

test.each([
  new StringColumn(),
  new LowCardinalityColumn(),
  new MapColumn(new LowCardinalityColumn()),
  new ArrayColumn(new MapColumn(new StringColumn())),
])('$type with no rows is a header alone', (column) => {
  expect(read(column)).toEqual([]);
});

test('what was pushed after a mark is gone after the rollback, also when indexes widened in between', () => {
  const map = new MapColumn(new LowCardinalityColumn());
  const array = new ArrayColumn(new MapColumn(new StringColumn()));
  pushRow(map, { a: '1' });
  pushRow(array.elements, { a: '1' });
  array.endRow();
  map.mark();
  array.mark();
  for (let i = 0; i < 300; i++) pushRow(map, { [`k${i}`]: `v${i}` });
  pushRow(array.elements, { b: '2' });
  map.pushKey(textBytes('half'), 0, 4);
  map.rollback();
  array.rollback();
  pushRow(map, { z: '26' });
  pushRow(array.elements, { z: '26' });
  array.endRow();
  expect(read(map)).toEqual([{ a: '1' }, { z: '26' }]);
  expect(read(array)).toEqual([[{ a: '1' }], [{ z: '26' }]]);
});

test('a column that was reset starts empty', () => {
  const map = new MapColumn(new LowCardinalityColumn());
  for (let i = 0; i < 70_000; i++) pushRow(map, { [`k${i}`]: 'v' });
  map.reset();
  pushRow(map, { a: '1' });
  expect(map.keys.indexes.width).toBe(1);
  expect(read(map)).toEqual([{ a: '1' }]);
});
