/**
 * Goal: the fast paths of expressions never say anything else than the expression itself.
 * Method: random expressions of small pieces, on random texts within other bytes, compared with re2js; and tables of what
 * the fast paths see in an expression.
 */
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { expect, test } from 'vitest';
import { BytePattern } from '#agent/processors/byte-pattern.ts';
import { patternTexts, requiredText } from '#agent/processors/pattern-texts.ts';
import { byteSource } from '#wire/protobuf/byte-writer.ts';

const piece = fc.constantFrom(
  ...'a b ab é 😀 . * + ? | ( ) (?: (?i) (?P<n> [ab] [^a] [|] []a] [[:alpha:]] {2} {0,1} ^ $ \\. \\| \\\\ \\b \\d \\pL \\x61'.split(
    ' ',
  ),
  ...['\\$', '\\Qa.\\E', ' ', '{', '}', ']', '-'],
);
const text = fc.array(fc.constantFrom('a', 'b', 'ab', 'é', '😀', '.', '|', '1', ' ', '\\', '$', '{', '\n'), {
  maxLength: 8,
});

function compiled(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}

test('a pattern finds what its expression finds, and in the same places', () => {
  let compared = 0;
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 6 }),
      fc.array(text, { minLength: 1, maxLength: 5 }),
      (pieces, texts) => {
        const regex = compiled(pieces.join(''));
        if (regex === undefined) return;
        const pattern = new BytePattern(pieces.join(''));
        for (const letters of texts) {
          compared++;
          const bytes = Buffer.from(letters.join(''));
          // What stands around the range is not looked at.
          const source = byteSource(
            Buffer.concat([Buffer.from('ab'), bytes, Buffer.from('ab.|1a$é 12345678')]),
          );
          expect(pattern.test(source, 2, 2 + bytes.length)).toBe(regex.test(bytes));
          const found: number[][] = [];
          pattern.forEach(
            source,
            2,
            2 + bytes.length,
            ([whole]) => found.push([whole!.from - 2, whole!.to - 2]) > 0,
          );
          const expected: number[][] = [];
          const matcher = regex.matcher(bytes);
          while (matcher.find()) expected.push([matcher.start(), matcher.end()]);
          expect(found).toEqual(expected);
        }
      },
    ),
    { numRuns: 4000 },
  );
  expect(compared).toBeGreaterThan(2000);
});

test.each([
  ['GET /a', ['GET /a']],
  ['^a\\.b|c$|^d$', ['^a.b', 'c$', '^d$']],
  ['a\\|b', ['a|b']],
  ['a.b', undefined],
  ['(a)', undefined],
  ['a|b|c|d|e|f|g|h|i', undefined],
])('texts of %s', (pattern, texts) => {
  const found = patternTexts(pattern)?.map(
    ({ text: plain, isStart, isEnd }) => `${isStart ? '^' : ''}${plain}${isEnd ? '$' : ''}`,
  );
  expect(found).toEqual(texts);
});

test.each([
  ['order \\d+ of', 'order '],
  ['a+bc?', 'a'],
  ['colou?r is red', 'r is red'],
  ['a{|bc', ''],
  ['x(abc)?yz', 'yz'],
  ['a|b', ''],
  ['(?i)timeout', ''],
  ['[abc]def', 'def'],
  ['\\x41bcd', ''],
])('the text that %s requires', (pattern, required) => expect(requiredText(pattern)).toBe(required));
