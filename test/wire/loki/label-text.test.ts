/**
 * Goal: the label text that Loki's clients send is read as Go reads it.
 * Method: a table; then a property: any labels, quoted as Go quotes them, come back.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '#model/errors.ts';
import { labelsFault, parseLabelText } from '#wire/loki/label-text.ts';

test.each<[string, Record<string, string>]>([
  ['{}', {}],
  ['{a="b"}', { a: 'b' }],
  [' { a = "b" ,c="d",\n} ', { a: 'b', c: 'd' }],
  ['{_a:1="", b=`raw \\n "x"`}', { '_a:1': '', b: 'raw \\n "x"' }],
  [String.raw`{a="\a\b\f\n\r\t\v\\\"\'"}`, { a: '\x07\b\f\n\r\t\v\\"\'' }],
  [String.raw`{a="\x41\101\u00e9\U0001F642 \xc3\xa9"}`, { a: 'AAé🙂 é' }],
  ['{a="comma, brace } and = inside"}', { a: 'comma, brace } and = inside' }],
  ['{a="é日"}', { a: 'é日' }],
])('%s', (text, labels) => expect(Object.fromEntries(parseLabelText(text))).toEqual(labels));

test.each([
  ['', 'labels must begin with "{" at byte 0'],
  ['a="b"', 'labels must begin with "{" at byte 0'],
  ['{a="b"', 'expected "," or "}" at byte 6'],
  ['{a="b" c="d"}', 'expected "," or "}" at byte 7'],
  ['{,}', 'expected a label name at byte 1'],
  ['{0a="b"}', 'expected a label name at byte 1'],
  ['{a}', 'expected "=" at byte 2'],
  ['{a=b}', 'expected a quoted label value at byte 3'],
  ['{a="b}', 'expected a quoted label value at byte 3'],
  ['{a="b\nc"}', 'expected a quoted label value at byte 3'],
  ['{a=`b}', 'expected a quoted label value at byte 3'],
  ['{a="b"}x', 'expected the end of the labels at byte 7'],
  [String.raw`{a="\q"}`, String.raw`a label value has an escape that is not known: \q at byte 3`],
  [String.raw`{a="\777"}`, String.raw`a label value has an escape that is not known: \777 at byte 3`],
  [String.raw`{a="\ud800"}`, String.raw`a label value has an escape that is not known: \ud800 at byte 3`],
  [String.raw`{a="\xff"}`, 'a label value is not valid UTF-8 at byte 3'],
])('%s is refused', (text, says) => {
  expect(() => parseLabelText(text)).toThrow(DecodeError);
  expect(() => parseLabelText(text)).toThrow(says);
});

test('labels that a stream may not have are told apart', () => {
  expect(labelsFault([])).toBe('at least one label pair is required per stream');
  expect(labelsFault([['a b', 'c']])).toBe('"a b" is not a label name');
  expect(labelsFault(parseLabelText('{a="1", a="2"}'))).toBe('the label "a" is there twice');
  expect(labelsFault([['a', 'c']])).toBe('');
});

test('labels are bounded, and a long value is no trouble', () => {
  const long = 'x'.repeat(200_000);
  expect(parseLabelText(`{a="${long}"}`)).toEqual([['a', long]]);
  expect(() => parseLabelText(`{a="${long}${long}"}`)).toThrow('labels are longer than 262144 characters');
});

test('any labels come back, and any text is read or refused', () => {
  const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
  const value = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(
      fc.dictionary(name, value, { noNullPrototype: true }),
      fc.string(),
      fc.nat(),
      (labels, noise, at) => {
        // JSON's quotes are Go's but for the escape of a slash, which JSON.stringify does not write.
        const text = `{${Object.entries(labels)
          .map(([key, item]) => `${key}=${JSON.stringify(item)}`)
          .join(', ')}}`;
        expect(Object.fromEntries(parseLabelText(text))).toEqual(labels);
        const cut = at % (text.length + 1);
        for (const broken of [noise, text.slice(0, cut), text.slice(0, cut) + noise + text.slice(cut)]) {
          try {
            parseLabelText(broken);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});
