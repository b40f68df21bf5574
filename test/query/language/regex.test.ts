/**
 * Goal: a pattern means in memory what it means to RE2, and what RE2 refuses is refused.
 * Method: tables of pattern, text and whether the whole text matches.
 */
import { expect, test } from 'vitest';
import { compileAnchoredRegex, compileRegex } from '#query/language/regex.ts';

test.each([
  ['a|b', 'b', true],
  ['a|b', 'ab', false],
  ['a.b', 'a\nb', true],
  ['(?i)AbC', 'abc', true],
  ['x(?i:a)b', 'xAB', false],
  ['(?i)a(b)|c', 'C', true],
  ['(?P<n>a+)b', 'aab', true],
  ['\\Qa.b\\E+', 'a.bb', true],
  ['\\Qa.b\\E', 'axb', false],
  ['[[:alpha:]]+', 'abc', true],
  ['[^[:digit:]x]', '1', false],
  ['a{2,3}', 'aaa', true],
  ['a{,3}', 'a{,3}', true],
  ['{}]', '{}]', true],
  ['\\d+\\.\\d', '10.5', true],
  ['\\-\\_\\"', '-_"', true],
  ['[\\w-]+', 'a-b', true],
  ['\\s', '\u00a0', false],
  ['\\pL+', 'é', true],
  ['\\x{1F600}', '😀', true],
  ['\\x41\\x{e9}', 'Aé', true],
  ['a\\z', 'a', true],
  ['', '', true],
  ['.*', 'anything', true],
])('%s against %j: %s', (pattern, text, matches) => {
  const compiled = compileAnchoredRegex(pattern);
  expect('regex' in compiled ? compiled.regex.test(text) : compiled.mistake).toBe(matches);
});

test.each([
  ['(', 'error parsing regexp: missing closing ): `(`'],
  ['a)', 'error parsing regexp: unexpected ): `a)`'],
  ['[a', 'error parsing regexp: missing closing ]: `[a`'],
  ['*a', 'error parsing regexp: missing argument to repetition operator: `*`'],
  ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ['(?<!a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?<`'],
  ['(a)\\1', 'error parsing regexp: invalid escape sequence: `\\1`'],
  ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
  ['a\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
])('%s is refused: %s', (pattern, mistake) => expect(compileRegex(pattern)).toEqual({ mistake }));

test('a pattern that would backtrack for ages answers', () => {
  const compiled = compileRegex('(a*)*b');
  expect('regex' in compiled && compiled.regex.test('a'.repeat(40))).toBe(false);
});
