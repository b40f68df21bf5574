/**
 * Goal: the fields that the configuration names become attributes of the record, whatever form its body has, and no
 * body makes anything up or fails.
 * Method: a table of what people ask about; then random JSON and logfmt, whole and cut off, against a naive reading; then
 * any bytes.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectorOptions, transcoderOptions } from '#collector/collector-options.ts';
import { parsePromotedFields } from '#collector/transcode/promoted-fields.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { loadConfig } from '#model/config/load.ts';
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import type { Column, DictionaryColumn, StringColumn } from '#store/native/column.ts';
import { naiveBodyFields } from '#test/support/naive/naive-body-fields.ts';
import { naiveText } from '#test/support/naive/naive-value.ts';
import { encodeLogsRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';
import { generatorUnixMs } from '#test/support/otlp-generator.ts';

type Pairs = [string, string][];

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function textAt(column: Column, row: number): string {
  if (column.kind === 'dictionary') {
    const { keys, indexes } = column as DictionaryColumn;
    return textAt(keys, indexes[row]!);
  }
  const { bytes, starts, ends } = column as StringColumn;
  return utf8.decode(bytes.subarray(starts[row], ends[row]));
}

/** One for each list, as threads keep theirs. */
const transcoders = new Map<string, ReturnType<typeof createTranscoder>>();

function transcoderOf(fields: readonly string[]): ReturnType<typeof createTranscoder> {
  const name = fields.join();
  const promotedFields = parsePromotedFields(fields);
  const made = transcoders.get(name) ?? createTranscoder({ ...transcoderOptionsDefault, promotedFields });
  transcoders.set(name, made);
  return made;
}

/** Transcodes records with `fields` promoted and returns body and attributes of each row. */
function rowsOf(
  records: readonly ProtoObject[],
  fields: readonly string[],
): { body: string; attrs: Pairs }[] {
  const { blocks, outcomes } = transcoderOf(fields)({
    requests: [
      {
        signal: 'logs',
        tenant: 'a',
        bytes: encodeLogsRequest({
          resourceLogs: [
            {
              scopeLogs: [
                {
                  logRecords: records.map((record) => ({
                    timeUnixNano: `${generatorUnixMs}000000`,
                    ...record,
                  })),
                },
              ],
            },
          ],
        }),
      },
    ],
    nowUnixMs: generatorUnixMs,
    oldestUnixMs: 0,
    seriesEpoch: 0,
  });
  expect(outcomes[0]).toMatchObject({ accepted: records.length });
  const [block] = readBlocks(Buffer.concat(blocks[0]!.parts));
  const attrs = columnNamed(block!, 'attrs');
  const body = columnNamed(block!, 'body');
  if (attrs.kind !== 'map') throw new Error('BUG: attrs is no map');
  return records.map((_record, row) => {
    const pairs: Pairs = [];
    for (let i = row === 0 ? 0 : attrs.ends[row - 1]!; i < attrs.ends[row]!; i++) {
      pairs.push([textAt(attrs.keys, i), textAt(attrs.values, i)]);
    }
    return { body: textAt(body, row), attrs: pairs };
  });
}

const promoted = (body: string, ...fields: string[]): Pairs =>
  rowsOf([{ body: { stringValue: body } }], fields)[0]!.attrs;

describe('JSON', () => {
  test.each<[body: string, fields: string, expected: Record<string, string>]>([
    ['{"user":"u1","n":2}', 'user n', { user: 'u1', n: '2' }],
    [
      '{"http":{"status":502}}',
      'http.status=http.response.status_code',
      { 'http.response.status_code': '502' },
    ],
    ['{"log.level":"warn"}', 'log.level', { 'log.level': 'warn' }],
    ['{"a.b":{"c":1}}', 'a.b.c', { 'a.b.c': '1' }],
    [' { "a" : true , "b" : false } ', 'a b', { a: 'true', b: 'false' }],
    ['{"a":-1.50e+3,"b":0}', 'a b', { a: '-1.50e+3', b: '0' }],
    ['{"a":{"x": [1, "]"]},"b":[{"c":1}]}', 'a b b.c', { a: '{"x": [1, "]"]}', b: '[{"c":1}]' }],
    ['{"a":{"b":1}}', 'a a.b', { a: '{"b":1}', 'a.b': '1' }],
    ['{"a":null,"b":1}', 'a b', { b: '1' }],
    ['{"a":null,"a":1}', 'a', { a: '1' }],
    ['{"a":1,"a":2}', 'a', { a: '1' }],
    ['{"a":""}', 'a', { a: '' }],
    ['{"b":1}', 'a', {}],
    ['{}', 'a', {}],
    [String.raw`{"a":"\"\\\/\b\f\n\r\tA\u00e9\u20ac\ud83d\ude00"}`, 'a', { a: '"\\/\b\f\n\r\tAé€😀' }],
    [
      String.raw`{"a":"\ud83d","b":"\ude00x","c":"\ud83d\u0041"}`,
      'a b c',
      { a: '\ufffd', b: '\ufffdx', c: '\ufffdA' },
    ],
    [String.raw`{"us\u0065r":{"i\/d":1}}`, 'user.i/d', { 'user.i/d': '1' }],
    ['{"größe":"ü"}', 'größe', { größe: 'ü' }],
    ['{"a":1,"b":1}', 'a=x b=x', { x: '1' }],
    ['{"a":1}', 'a=x a=y', { x: '1', y: '1' }],
    ['{"a":{"a":{"a":1}},"aa":2}', 'a.a.a aa', { 'a.a.a': '1', aa: '2' }],
    ['{"a":[{"b":1}]}', 'a.b', {}],
    ['{"a":1} and more', 'a', { a: '1' }],
  ])('%s has %s', (body, fields, expected) => {
    expect(promoted(body, ...fields.split(' '))).toEqual(Object.entries(expected));
  });

  test.each<[body: string, expected: Record<string, string>]>([
    ['{"a":1,"b":"cut o', { a: '1' }],
    ['{"a":1,"b":2', { a: '1' }],
    ['{"a":1,"b":"x"', { a: '1', b: 'x' }],
    ['{"a":1,"x":{"deep":[1,2', { a: '1' }],
    ['{"a":1,b:2}', { a: '1' }],
    ['{"a":1 "b":2}', { a: '1' }],
    ['{"a":1,"b":2.}', { a: '1' }],
    ['{"a":1,"b":10.0.0.1}', { a: '1' }],
    ['{"a":1,"b":01}', { a: '1' }],
    ['{"a":1,"b":NaN}', { a: '1' }],
    [String.raw`{"a":1,"b":"\x41"}`, { a: '1' }],
    [String.raw`{"a":1,"b":"\u00g0"}`, { a: '1' }],
    ['{"a":1,"x":,"b":2}', { a: '1' }],
    ['{"a":1}{"b":2}', { a: '1' }],
    ['{"a":1,"x":{"b":2}}', { a: '1' }],
    ['{user} logged in a=1', {}],
    ['[{"a":1}]', {}],
    ['{"a', {}],
    ['{', {}],
  ])('of what is not JSON the part before is taken: %s', (body, expected) => {
    expect(promoted(body, 'a', 'b')).toEqual(Object.entries(expected));
  });

  test('a field that was found ends the search, also before text that is not JSON', () => {
    expect(promoted('{"a":1,,,', 'a')).toEqual([['a', '1']]);
  });
});

describe('logfmt', () => {
  test.each<[body: string, expected: Record<string, string>]>([
    ['a=1 b=two', { a: '1', b: 'two' }],
    ['ts=2026-11-26T15:00:00Z level=info a=1', { a: '1' }],
    [String.raw`a="x \"y\" \n" b=""`, { a: 'x "y" \n', b: '' }],
    ['a= b=2', { a: '', b: '2' }],
    ['x=1 some words "and a=0" b=2', { b: '2' }],
    ['a=1, b=2', { a: '1,', b: '2' }],
    ['a="1", b=2', { a: '1', b: '2' }],
    ['a=x=y', { a: 'x=y' }],
    ['a=1 a=2', { a: '1' }],
    ['a=null', { a: 'null' }],
    ['x=1 a="cut o', {}],
    ['not logfmt a=1', {}],
    ['"a=1" b=2', {}],
    ['=1 b=2', {}],
    ['aa=1 b', {}],
  ])('%s', (body, expected) => {
    expect(promoted(body, 'a', 'b')).toEqual(Object.entries(expected));
  });

  test('a name with dots is a name', () => {
    expect(promoted('http.status=502 http=x', 'http.status', 'http')).toEqual([
      ['http.status', '502'],
      ['http', 'x'],
    ]);
  });
});

test('an attribute that the record has is left alone, and so is the name of an event', () => {
  const records = [
    { attributes: [{ key: 'a', value: { stringValue: 'sent' } }], body: { stringValue: '{"a":1,"b":2}' } },
    { eventName: 'login', body: { stringValue: '{"event.name":"other","b":3}' } },
  ];
  expect(rowsOf(records, ['a', 'b', 'event.name']).map(({ attrs }) => attrs)).toEqual([
    [
      ['a', 'sent'],
      ['b', '2'],
    ],
    [
      ['event.name', 'login'],
      ['b', '3'],
    ],
  ]);
});

test('a body that is a map has the fields of the JSON that is stored', () => {
  const user = { kvlistValue: { values: [{ key: 'id', value: { intValue: 7 } }] } };
  const body = {
    kvlistValue: {
      values: [
        { key: 'user', value: user },
        { key: 'text', value: { stringValue: 'a "b"' } },
      ],
    },
  };
  expect(rowsOf([{ body }], ['user.id', 'text'])).toEqual([
    {
      body: '{"user":{"id":7},"text":"a \\"b\\""}',
      attrs: [
        ['user.id', '7'],
        ['text', 'a "b"'],
      ],
    },
  ]);
});

test('bodies stay as they were sent', () => {
  const bodies = ['', ' {"a":1} ', 'a=1', `{"a":"${'x'.repeat(40_000)}"}`];
  const rows = rowsOf(
    bodies.map((stringValue) => ({ body: { stringValue } })),
    ['a'],
  );
  expect(rows.map(({ body }) => body)).toEqual(bodies);
  expect(rows.map(({ attrs }) => attrs[0]?.[1].length)).toEqual([undefined, 1, 1, 40_000]);
});

test('nesting without end is passed over', () => {
  const open = '{"a":'.repeat(200_000);
  expect(promoted(`${open}1${'}'.repeat(200_000)}`, 'a.a', 'b')).toEqual([['a.a', expect.any(String)]]);
  expect(promoted(open, 'a.a.a.b', 'b')).toEqual([]);
  expect(promoted(`{"x":${'['.repeat(200_000)}${']'.repeat(200_000)},"b":1}`, 'b')).toEqual([['b', '1']]);
});

const names = ['a', 'b', 'a.b', 'c', '', 'a"b', 'ä'];
const fields = [
  'a',
  'b=B',
  'a.b',
  'a.b.c=deep',
  'c.a',
  'c',
  'ä.b',
  'a"b=quoted',
  'b=again',
  'c.b=B',
  'c.',
  'a..b=dots',
];
const parsedFields = parsePromotedFields(fields);
const { value: jsonValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(true, false, null, 'say "hi"', 'line\nend', '\u{1f600}'),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.array(fc.tuple(fc.constantFrom(...names), tie('value')), { maxLength: 5 }),
}));

/** Renders with spaces and escapes that JSON.stringify never writes; members are pairs, so that names may repeat. */
function renderJson(value: unknown, gap: string, isEscaped: boolean): string {
  if (typeof value === 'string') {
    if (!isEscaped) return JSON.stringify(value);
    return `"${value.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
  }
  if (!Array.isArray(value)) return JSON.stringify(value);
  const isObject = value.every((item) => Array.isArray(item) && item.length === 2 && names.includes(item[0]));
  if (!isObject) return `[${value.map((item) => renderJson(item, gap, isEscaped)).join(`${gap},`)}]`;
  const members = (value as [string, unknown][]).map(
    ([name, item]) =>
      `${gap}${renderJson(name, '', isEscaped)}${gap}:${gap}${renderJson(item, gap, isEscaped)}`,
  );
  return `{${members.join(`${gap},`)}${gap}}`;
}

const jsonBody = fc
  .tuple(jsonValue, fc.constantFrom('', ' ', '\n\t'), fc.boolean())
  .map(([value, gap, isEscaped]) =>
    renderJson(Array.isArray(value) ? value : [['a', value]], gap, isEscaped),
  );
const logfmtBody = fc
  .array(
    fc.oneof(
      fc
        .tuple(
          fc.constantFrom('a', 'b', 'a.b', 'c', 'x', 'level'),
          fc.oneof(
            fc.stringMatching(/^[^\0-\x20"][^\0-\x20]{0,5}$/),
            fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text.toWellFormed())),
            fc.constantFrom('', '1', '"x",'),
          ),
        )
        .map(([name, value]) => `${name}=${value}`),
      fc.constantFrom('word', '"quoted a=1"', 'b', '='),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(' '));

/** The text up to any character, which may be within an escape, a number or a name. */
const cutOff = fc
  .tuple(fc.oneof(jsonBody, logfmtBody), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([text, share]) => text.slice(0, Math.floor(text.length * share)).toWellFormed());

test.each([
  ['JSON', jsonBody],
  ['logfmt', logfmtBody],
  ['what is cut off', cutOff],
])('random bodies have the fields that a naive reading finds: %s', (_kind, body) => {
  fc.assert(
    fc.property(fc.array(body, { minLength: 1, maxLength: 20 }), (bodies) => {
      const rows = rowsOf(
        bodies.map((stringValue) => ({ body: { stringValue } })),
        fields,
      );
      expect(rows).toEqual(
        bodies.map((text) => ({ body: text, attrs: naiveBodyFields(text, parsedFields) })),
      );
    }),
    { numRuns: 400 },
  );
});

test('random maps and attributes too', () => {
  const toAny = (value: unknown): ProtoObject => {
    if (typeof value === 'string') return { stringValue: value };
    if (typeof value === 'number')
      return Number.isSafeInteger(value) ? { intValue: value } : { doubleValue: value };
    if (typeof value === 'boolean') return { boolValue: value };
    if (!Array.isArray(value)) return {};
    const isMap = value.every((item) => Array.isArray(item) && item.length === 2 && names.includes(item[0]));
    if (!isMap) return { arrayValue: { values: value.map(toAny) } };
    return { kvlistValue: { values: value.map(([key, item]) => ({ key, value: toAny(item) })) } };
  };
  const record = fc.tuple(jsonValue, fc.uniqueArray(fc.constantFrom('a', 'B', 'deep', 'other')));
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 10 }), (records) => {
      const sent = records.map(([value, keys]) => ({
        body: toAny(value),
        attributes: keys.map((key) => ({ key, value: { stringValue: 'sent' } })),
      }));
      const expected = sent.map(({ body, attributes }) => {
        const pairs = attributes.map(({ key }): [string, string] => [key, 'sent']);
        const text = naiveText(body);
        return { body: text, attrs: [...pairs, ...naiveBodyFields(text, parsedFields, pairs)] };
      });
      expect(rowsOf(sent, fields)).toEqual(expected);
    }),
  );
});

test('nothing behind a body is looked at', () => {
  fc.assert(
    fc.property(fc.oneof(cutOff, fc.string()), (text) => {
      const record = { body: { stringValue: text } };
      const [alone] = rowsOf([record], fields);
      // Its bytes follow those of the body at once.
      const attributes = [{ key: '":1,"a":1,"c":{"b":2}} a=1 c.b=2', value: { stringValue: '"' } }];
      const [followed] = rowsOf([{ ...record, attributes }], fields);
      expect(followed!.attrs.slice(1)).toEqual(alone!.attrs);
    }),
    { numRuns: 500 },
  );
});

describe('the option', () => {
  const configured = (names: unknown) =>
    transcoderOptions(
      loadConfig(
        { collector: collectorOptions },
        {
          file: {
            path: 'c.yaml',
            text: JSON.stringify({ collector: { logs: { promote_body_fields: names } } }),
          },
          environment: {},
          commandLine: new Map(),
        },
      ).config.collector,
    ).promotedFields;

  test('names fields and attributes', () => {
    expect(configured(['a.b', 'c=d', 'e=f=g'])).toEqual([
      { field: 'a.b', attribute: 'a.b' },
      { field: 'c', attribute: 'd' },
      { field: 'e', attribute: 'f=g' },
    ]);
  });

  test.each([
    [['a', 'a'], /collector\.logs\.promote_body_fields holds a twice/],
    [[''], /"" has a name that is empty or begins or ends with a space/],
    [['=a'], /"=a" has a name that is empty/],
    [['a='], /"a=" has a name that is empty/],
    [['a = b'], /"a = b" has a name that is empty or begins or ends with a space/],
    [['x'.repeat(128)], /is longer than 127 bytes/],
    [['a.'.repeat(16) + 'a'], /is more than 16 fields in one another/],
    [Array.from({ length: 31 }, (_, i) => `f${i}`), /has 31 fields, more than 30/],
  ])('%j is refused', (list, message) => {
    expect(() => configured(list)).toThrow(message);
  });
});

test('thirty fields are found in one body', () => {
  const list = Array.from({ length: 30 }, (_, i) => `f${i}`);
  const body = JSON.stringify(Object.fromEntries(list.map((name, i) => [name, i])));
  expect(promoted(body, ...list)).toEqual(list.map((name, i) => [name, String(i)]));
});
