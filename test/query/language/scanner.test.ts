/**
 * Goal: a language's table of tokens decides what the scanner cuts; mistakes stand where they are met.
 * Method: PromQL's rules and a small language of our own, tokens rendered as kind:text.
 */
import { expect, test } from 'vitest';
import { parseDurationMs, parseNumber, scanQuantity } from '#query/language/quantity.ts';
import { quoteChar, quoteText, scanQuoted, unquote } from '#query/language/quoted-string.ts';
import { type ScanRules, scanTokens } from '#query/language/scanner.ts';
import { lineColumn } from '#query/language/text-position.ts';
import { promqlScanRules } from '#query/promql/lexical.ts';

function scan(text: string, rules: ScanRules = promqlScanRules): string {
  return scanTokens(text, rules)
    .map(({ kind, text: token }) => (kind === 'end' ? 'end' : `${kind}:${token}`))
    .join(' ');
}

test.each([
  [
    'a:b{c=~"d"}[5m:1s]',
    'word:a:b operator:{ word:c operator:=~ string:"d" operator:} operator:[ duration:5m operator:: duration:1s operator:] end',
  ],
  ['1e3<=.5#c', 'number:1e3 operator:<= number:.5 end'],
  ['  ', 'end'],
  ['a "b', 'word:a error:unterminated quoted string'],
  ['a{b c', 'word:a operator:{ word:b word:c error:unexpected end of input inside braces'],
])('%s', (text, tokens) => expect(scan(text)).toBe(tokens));

test('a language chooses its operators, words and contexts', () => {
  const rules: ScanRules = {
    contextFirst: 'outside',
    contexts: {
      outside: {
        operators: ['|=', '|', '<'],
        leadsTo: { '<': 'inside' },
        words: 'plain',
        hasStrings: true,
        hasQuantities: false,
        hasComments: false,
        refuse: (text, position) => `stray ${text[position]}`,
      },
      inside: {
        operators: ['>'],
        leadsTo: { '>': 'outside' },
        words: new Set(['only']),
        hasStrings: false,
        hasQuantities: true,
        hasComments: false,
        unclosed: 'no end of <',
        refuse: (text, position) => `not inside: ${text[position]}`,
      },
    },
    quantity: scanQuantity,
    messages: { unterminatedString: 'open string', unterminatedRawString: 'open raw string' },
  };
  expect(scan('a |= `b` <only 5> )', rules)).toBe(
    'word:a operator:|= string:`b` operator:< word:only number:5 operator:> error:stray )',
  );
  expect(scan('<other', rules)).toBe('operator:< error:not inside: o');
  expect(scan('<5', rules)).toBe('operator:< number:5 error:no end of <');
  expect(scan('a:b', rules)).toBe('word:a error:stray :');
  expect(scan('"a', rules)).toBe('error:open string');
});

test.each([
  [`"a\\tb"`, 'a\tb'],
  [`'it\\'s'`, "it's"],
  ['`raw\\n`', 'raw\\n'],
  ['"\\xe4\\xb8\\xad\\101"', '中A'],
  ['"\\u00e9\\U0001F600"', 'é😀'],
  ['"\\xff"', '\ufffd'],
])('%s says %j', (token, value) => {
  expect(scanQuoted(token, 0)).toEqual({ end: token.length });
  expect(unquote(token)).toBe(value);
});

test.each([
  ['"\\u12"', "illegal character U+0022 '\"' in escape sequence"],
  ['"\\400"', 'escape sequence is an invalid Unicode code point'],
  ['"\\ud800"', 'escape sequence is an invalid Unicode code point'],
  ['"\\', 'escape sequence not terminated'],
  ['"a\ufffd"', 'invalid UTF-8 rune'],
])('%j is a mistake: %s', (text, mistake) => expect(scanQuoted(text, 0)).toEqual({ mistake }));

test('text is quoted as Go quotes it', () => {
  expect(quoteText('a"b\\\n\x00é\u200b')).toBe('"a\\"b\\\\\\n\\x00é\\u200b"');
  expect(quoteChar("it's", 2)).toBe("'\\''");
  expect(quoteChar('a', 1)).toBe("'\ufffd'");
});

test.each([
  ['1h30m', 5_400_000],
  ['1y2w3d', 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000],
  ['500ms', 500],
  ['30m1h', undefined],
  ['300y', undefined],
  ['', undefined],
])('the duration %s has %d ms', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

test.each([
  ['0x1F', 31],
  ['1_000.5', 1000.5],
  ['017', 15],
  ['1e-3', 0.001],
  ['-Inf', -Infinity],
  ['NaN', NaN],
  ['1x', undefined],
])('the number %s is %d', (text, value) => expect(parseNumber(text)).toBe(value));

test('columns count bytes, lines count newlines', () => {
  expect(lineColumn('é\nab(', 4)).toEqual({ line: 2, column: 3 });
  expect(lineColumn('éa', 1)).toEqual({ line: 1, column: 3 });
});
