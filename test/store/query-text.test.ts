/** Goal: what cannot be bound is refused before an engine sees it. Method: a table of text, values and facts. */
import { expect, test } from 'vitest';
import { checkQueryText, paramLengthMax, queryTextLengthMax, renderParams } from '#store/query-text.ts';

test.each([
  {
    name: 'a placeholder without a value',
    sql: 'SELECT {a:String}',
    options: {},
    fact: 'no value for its placeholder {a}',
  },
  {
    name: 'one among others',
    sql: 'SELECT {a:String}, { b : UInt8 }',
    options: { params: { a: '' } },
    fact: '{b}',
  },
  {
    name: 'an inherited property',
    sql: 'SELECT {toString:String}',
    options: { params: {} },
    fact: '{toString}',
  },
  {
    name: 'a parameter name with SQL in it',
    sql: 'SELECT 1',
    options: { params: { "a = '': x": 1 } },
    fact: 'not a parameter name',
  },
  {
    name: 'a setting name with SQL in it',
    sql: 'SELECT 1',
    options: { settings: { 'a = 1, b': 1 } },
    fact: 'not a setting name',
  },
  {
    name: 'a text that is too long',
    sql: 'x'.repeat(queryTextLengthMax + 1),
    options: {},
    fact: 'characters',
  },
])('$name is refused', ({ sql, options, fact }) => {
  expect(() => checkQueryText(sql, options)).toThrow(fact);
});

test('map literals and placeholders with values pass', () => {
  checkQueryText("SELECT {'a': 1}, {a:String}, {a:Array(UInt8)}", {
    params: { a: 'x' },
    settings: { max_threads: 1 },
  });
});

test.each([
  { value: 'a\\b\tc', text: 'a\\\\b\\tc' },
  { value: null, text: '\\N' },
  { value: true, text: 'true' },
  { value: 1.5, text: '1.5' },
  { value: Number.NaN, text: 'nan' },
  { value: -Infinity, text: '-inf' },
  { value: ["it's", 2], text: "['it\\'s',2]" },
  { value: [], text: '[]' },
])('$value is written as $text', ({ value, text }) => {
  expect(renderParams({ value })).toEqual({ value: text });
});

test.each([2 ** 53, 'x'.repeat(paramLengthMax + 1)])(
  'a value that would be changed or is too long is refused',
  (value) => {
    expect(() => renderParams({ value })).toThrow(/safe integer|characters/);
  },
);
