/**
 * Goal: every column type that our queries select is read as the engine meant it, and no bytes can make the reader
 * do more than throw DecodeError.
 * Method: the engine writes FORMAT Native, we render the columns as JSON, the engine's own JSON is the expectation.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DecodeError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import { BlockSplitter } from '#store/native/block-splitter.ts';
import { type Column, integer64Number, integer64Text, stringAt } from '#store/native/column.ts';
import { columnRowCount } from '#store/native/column-reader.ts';
import type { Store } from '#store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-native-'));
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function native(sql: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.stream(sql)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** One value, as the engine's JSON shows it. */
function valueAt(column: Column, row: number): unknown {
  switch (column.kind) {
    case 'number':
      return column.values[row];
    case 'float64':
      return column.values[row];
    case 'integer64':
      return integer64Text(column, row);
    case 'string':
      return stringAt(column, row);
    case 'fixed-string':
      return Buffer.from(column.bytes.subarray(row * column.width, (row + 1) * column.width)).toString();
    case 'dictionary':
      if (column.nullable && column.indexes[row] === 0) return null;
      return valueAt(column.keys, column.indexes[row] ?? -1);
    case 'nullable':
      return column.nulls[row] === 1 ? null : valueAt(column.items, row);
    case 'array':
      return range(column.ends, row).map((item) => valueAt(column.items, item));
    case 'map':
      return Object.fromEntries(
        range(column.ends, row).map((item) => [
          String(valueAt(column.keys, item)),
          valueAt(column.values, item),
        ]),
      );
    default:
      return column satisfies never;
  }
}

function range(ends: Uint32Array, row: number): number[] {
  const start = row === 0 ? 0 : (ends[row - 1] ?? 0);
  return Array.from({ length: (ends[row] ?? 0) - start }, (_, index) => start + index);
}

function render(bytes: Uint8Array): Record<string, unknown>[] {
  return [...readBlocks(bytes)].flatMap((block) =>
    Array.from({ length: block.rowCount }, (_, row) =>
      Object.fromEntries(block.columns.map(({ name, column }) => [name, valueAt(column, row)])),
    ),
  );
}

const longText = "repeat('ä', number * 70)";

test.each([
  { type: 'UInt8', value: 'number * 200' },
  { type: 'UInt16', value: 'number * 60000' },
  { type: 'UInt32', value: '4294967295 - number' },
  { type: 'Int8', value: '-number' },
  { type: 'Int16', value: '-1000 * number' },
  { type: 'Int32', value: '-1000000 * number' },
  { type: 'UInt64', value: '18446744073709551615 - number' },
  { type: 'Int64', value: '-9223372036854775808 + number' },
  { type: 'Float32', value: 'number / 2' },
  { type: 'Float64', value: 'number / 3' },
  { type: 'Bool', value: 'number % 2', json: 'toUInt8(c)' },
  { type: 'Date', value: "toDate('2026-11-20') + number", json: 'toUInt16(c)' },
  { type: "DateTime('UTC')", value: 'toDateTime(1700000000 + number)', json: 'toUInt32(c)' },
  {
    type: "DateTime64(3, 'UTC')",
    value: 'toDateTime64(1700000000 + number, 3)',
    json: 'toUnixTimestamp64Milli(c)',
  },
  { type: "DateTime64(9, 'UTC')", value: 'toDateTime64(-number, 9)', json: 'toUnixTimestamp64Nano(c)' },
  { type: "Enum8('a' = -1, 'b' = 2)", value: "if(number = 0, 'a', 'b')", json: 'toInt8(c)' },
  { type: 'String', value: longText },
  { type: 'FixedString(8)', value: "concat('id', toString(number + 100000))" },
  { type: 'LowCardinality(String)', value: 'toString(number % 2)' },
  { type: 'LowCardinality(FixedString(3))', value: "concat('ab', toString(number % 3))" },
  { type: 'LowCardinality(Nullable(String))', value: "if(number % 2 = 0, NULL, 'x')" },
  { type: 'Nullable(UInt32)', value: 'if(number % 2 = 0, NULL, number)' },
  { type: 'Nullable(String)', value: "if(number % 2 = 0, NULL, 'x')" },
  { type: 'Array(UInt8)', value: 'range(number)' },
  {
    type: "Array(DateTime64(3, 'UTC'))",
    value: "arrayMap(x -> toDateTime64(x, 3, 'UTC'), range(number))",
    json: 'arrayMap(x -> toUnixTimestamp64Milli(x), c)',
  },
  { type: 'Array(Float64)', value: 'arrayMap(x -> x / 7, range(number))' },
  { type: 'Array(LowCardinality(String))', value: 'arrayMap(x -> toString(x), range(number))' },
  { type: 'Array(LowCardinality(String))', value: 'emptyArrayString()' },
  { type: 'Array(Array(UInt16))', value: 'arrayMap(x -> range(x), range(number))' },
  { type: 'Array(Nullable(String))', value: "arrayMap(x -> if(x = 1, NULL, 'y'), range(number))" },
  { type: 'Map(LowCardinality(String), String)', value: "map('k', toString(number), 'l', '')" },
  { type: 'Map(LowCardinality(String), String)', value: 'map()' },
  {
    type: 'Map(LowCardinality(String), LowCardinality(String))',
    value: "if(number = 2, map(), map('k', 'v'))",
  },
  { type: 'Map(String, UInt64)', value: "map('k', number)" },
  {
    type: 'Array(Map(LowCardinality(String), String))',
    value: "arrayMap(x -> map('k', toString(x)), range(number))",
  },
  { type: 'Array(Map(LowCardinality(String), String))', value: '[]' },
  {
    type: "SimpleAggregateFunction(max, DateTime('UTC'))",
    value: 'toDateTime(1700000000)',
    json: 'toUInt32(c)',
  },
])('$type is read: $value', async ({ type, value, json }) => {
  const source = `SELECT CAST(${value}, '${type.replaceAll("'", "\\'")}') AS c FROM numbers(4)`;
  const expected = await store.rows(`SELECT ${json ?? 'c'} AS value FROM (${source})`);
  const bytes = await native(`SELECT c AS value FROM (${source})`);
  expect(render(bytes)).toEqual(expected);
});

test('a dictionary of more than 255 and of more than 65535 keys has wider indexes', async () => {
  for (const [count, Type] of [
    [300, Uint16Array],
    [66_000, Uint32Array],
  ] as const) {
    const sql = `SELECT toLowCardinality(toString(number)) AS c FROM numbers(${count})`;
    const [block] = readBlocks(await native(`${sql} SETTINGS max_block_size = 100000`));
    const column = block === undefined ? undefined : columnNamed(block, 'c');
    expect(column).toMatchObject({ kind: 'dictionary', indexes: expect.any(Type) });
    expect(column && valueAt(column, count - 1)).toBe(String(count - 1));
  }
});

test('the bits of a stale marker and of other NaNs survive', async () => {
  const sql = `SELECT arrayJoin([reinterpretAsFloat64(9218868437227405314::UInt64), nan, -0.0, inf]) AS v`;
  const [block] = readBlocks(await native(sql));
  const column = block && columnNamed(block, 'v');
  if (column?.kind !== 'float64') throw new Error('not Float64');
  expect([...column.words]).toEqual([2, 0x7ff00000, 0, 0x7ff80000, 0, 0x80000000, 0, 0x7ff00000]);
});

test('a 64-bit integer as a number is exact below 2^53', () => {
  const words = new Uint32Array([1, 0, 0xffffffff, 0x1fffff, 0xffffffff, 0xffffffff]);
  expect([0, 1, 2].map((row) => integer64Number({ kind: 'integer64', signed: true, words }, row))).toEqual([
    1,
    Number.MAX_SAFE_INTEGER,
    -1,
  ]);
});

test('columns are read wherever their bytes begin', async () => {
  const bytes = await native(
    'SELECT number AS a, toUInt16(number) AS b, number / 3 AS c, [number] AS d FROM numbers(5)',
  );
  const expected = render(bytes);
  for (let shift = 1; shift < 9; shift++) {
    const moved = new Uint8Array(bytes.length + shift);
    moved.set(bytes, shift);
    expect(render(moved.subarray(shift))).toEqual(expected);
  }
});

const everything = `SELECT number AS a, toString(number) AS s, repeat('x', number) AS long, number / 3 AS f,
  toLowCardinality(toString(number % 7)) AS l, map('k', toString(number))::Map(LowCardinality(String), String) AS m,
  arrayMap(x -> toString(x), range(number % 4))::Array(LowCardinality(String)) AS arr,
  if(number % 2 = 0, NULL, number) AS n, toFixedString(toString(number % 10), 4) AS fs,
  range(number % 3) AS r, []::Array(Map(LowCardinality(String), String)) AS none
  FROM numbers(200) SETTINGS max_block_size = 64`;

describe('hostile bytes', () => {
  test('every cut of a block is a DecodeError', async () => {
    const bytes = await native(everything.replace('200', '5'));
    for (let length = 1; length < bytes.length; length++) {
      expect(() => [...readBlocks(bytes.subarray(0, length))], `cut at ${length}`).toThrow(DecodeError);
    }
  });

  test('changed bytes give columns or a DecodeError, never anything else', async () => {
    const bytes = await native(everything.replace('200', '5'));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        try {
          for (const block of readBlocks(changed)) {
            for (const { column } of block.columns) {
              for (let row = 0; row < columnRowCount(column); row++) valueAt(column, row);
            }
          }
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    {
      name: 'a row count beyond the bytes',
      bytes: [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 97, 6, ...Buffer.from('String')],
    },
    { name: 'too many columns', bytes: [0xff, 0xff, 0x7f, 1] },
    { name: 'an unknown type', bytes: [1, 1, 1, 97, 4, ...Buffer.from('JSON'), 0] },
    {
      name: 'a type nested too deeply',
      bytes: [1, 1, 1, 97, 77, ...Buffer.from(`${'Array('.repeat(10)}UInt8${')'.repeat(10)}  `), 0],
    },
    { name: 'a length above 2^53', bytes: [1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f] },
  ])('$name is a DecodeError', ({ bytes }) => {
    expect(() => [...readBlocks(Uint8Array.from(bytes))]).toThrow(DecodeError);
  });
});

describe('the splitter', () => {
  test('gives the same bytes in whole blocks, however they are cut', async () => {
    const bytes = await native(everything);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const splitter = new BlockSplitter();
        const whole: Uint8Array[] = [];
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const size = sizes[index % sizes.length] ?? 1;
          const piece = splitter.push(Uint8Array.from(bytes.subarray(at, at + size)));
          at += size;
          if (piece === undefined) continue;
          expect([...readBlocks(piece)].length).toBeGreaterThan(0);
          whole.push(piece);
        }
        expect(splitter.rest().length).toBe(0);
        expect(Buffer.concat(whole).equals(bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('keeps what is left of a cut block', async () => {
    const bytes = await native('SELECT number FROM numbers(3)');
    const splitter = new BlockSplitter();
    expect(splitter.push(bytes.subarray(0, bytes.length - 1))).toBeUndefined();
    expect(splitter.rest().length).toBe(bytes.length - 1);
    expect(splitter.push(bytes.subarray(bytes.length - 1))?.length).toBe(bytes.length);
  });

  test('refuses what is no block', () => {
    const text = Buffer.from('Code: 159. DB::Exception: Timeout exceeded. '.repeat(20));
    expect(() => new BlockSplitter().push(text)).toThrow(DecodeError);
  });
});
