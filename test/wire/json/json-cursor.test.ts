/**
 * Goal: the cursor takes what JSON.parse takes and refuses what it refuses, with a typed error.
 * Method: JSON.parse as the oracle, over a table, and over random texts and random damage to them.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '#model/errors.ts';
import { JsonCursor, jsonDepthMax } from '#wire/json/json-cursor.ts';

/** Rebuilds the value by the cursor's own calls. */
function read(cursor: JsonCursor): unknown {
  switch (cursor.peek()) {
    case 0x7b: {
      const members: [string, unknown][] = [];
      cursor.enterObject();
      while (cursor.nextKey()) members.push([cursor.text(), read(cursor)]);
      return Object.fromEntries(members);
    }
    case 0x5b: {
      const elements: unknown[] = [];
      cursor.enterArray();
      while (cursor.nextElement()) elements.push(read(cursor));
      return elements;
    }
    case 0x22:
      cursor.readString();
      return cursor.text();
    case 0x74:
    case 0x66:
      return cursor.readBoolean();
    case 0x6e:
      if (cursor.takeNull()) return null;
      return cursor.readBoolean();
    default:
      cursor.readNumber();
      return Number(cursor.bytes.toString('latin1', cursor.start, cursor.end));
  }
}

function readAll(bytes: Uint8Array): unknown {
  const cursor = new JsonCursor();
  cursor.begin(bytes);
  const value = read(cursor);
  cursor.expectEnd();
  return value;
}

function skipAll(bytes: Uint8Array): void {
  const cursor = new JsonCursor();
  cursor.begin(bytes);
  cursor.skipValue();
  cursor.expectEnd();
}

/** Both ways to read must agree with JSON.parse. */
function check(bytes: Uint8Array): void {
  let expected: { value: unknown } | undefined;
  try {
    expected = { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    expected = undefined;
  }
  if (expected !== undefined) {
    expect(readAll(bytes)).toEqual(expected.value);
    skipAll(bytes);
  } else {
    expect(() => readAll(bytes)).toThrow(DecodeError);
    expect(() => skipAll(bytes)).toThrow(DecodeError);
  }
}

test.each([
  ...[
    '',
    ' ',
    '{',
    '{}',
    '[]',
    '[1,]',
    '{"a":1,}',
    '{,}',
    '[,1]',
    '[1 2]',
    '{"a" 1}',
    '{a:1}',
    '{"a":1 "b":2}',
  ],
  ...[
    'nul',
    'null',
    'nullx',
    'true',
    'tru',
    'falsey',
    '01',
    '-',
    '-0',
    '1.',
    '.5',
    '1e',
    '1e+',
    '1E-2',
    '+1',
  ],
  ...[
    '"',
    '"a',
    '"\\',
    '"\\u12',
    '"\\u12g4"',
    '"\\x"',
    '"\\ud800"',
    '"\t"',
    '"\u007f"',
    '"\\u0041\\n"',
    '"é日🙂"',
  ],
  ...[
    '[1]]',
    '{"a":[{"b":null}]}',
    ' \r\n\t[ 1 , 2 ] ',
    '1 1',
    '[[]',
    '}',
    '{"a":}',
    '{"":0}',
    '{"a":1,"a":2}',
  ],
  '\ufeff{"a":1}',
])('%j is read as JSON.parse reads it', (text) => check(Buffer.from(text)));

test('bytes that are not UTF-8 are refused', () => {
  expect(() => readAll(Buffer.from([0x22, 0xff, 0x22]))).toThrow(
    'the JSON text is not valid UTF-8 at byte 0',
  );
});

test('nesting is bounded, and a bomb of brackets is refused at the bound', () => {
  const nest = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  skipAll(nest(jsonDepthMax));
  expect(() => skipAll(nest(jsonDepthMax + 1))).toThrow(
    `JSON is nested deeper than ${jsonDepthMax} at byte 256`,
  );
  expect(() => skipAll(Buffer.alloc(4_000_000, '['))).toThrow('nested deeper');
});

test('the position of what is wrong is told', () => {
  expect(() => readAll(Buffer.from('{"a": 1, "b" 2}'))).toThrow('expected ":" at byte 13');
  expect(() => readAll(Buffer.from('[1, x]'))).toThrow('expected a number at byte 4');
});

test('random JSON is read as JSON.parse reads it, however it is damaged', () => {
  const spaces = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), spaces, fc.nat(), fc.nat(255), (json, space, at, byte) => {
      const bytes = Buffer.from(JSON.stringify(JSON.parse(json), null, space));
      check(bytes);
      check(bytes.subarray(0, at % (bytes.length + 1)));
      const damaged = Buffer.from(bytes);
      damaged[at % bytes.length] = byte;
      // A byte order mark is the one thing that the cursor takes and a text may get by damage: not with one byte.
      check(damaged);
    }),
    { numRuns: 500 },
  );
});
