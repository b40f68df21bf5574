/**
 * Goal: texts become the tree that Prometheus would see, mistakes get Prometheus's words and places.
 * Method: tables of query and printed tree or error; a property: any text is a tree or a ParseError.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ParseError } from '#query/language/parse-error.ts';
import { queryLengthMax } from '#query/language/scanner.ts';
import { parsePromql, parseSelector } from '#query/promql/parser.ts';
import { depthMax } from '#query/promql/parser-input.ts';
import { formatDecimal, printDuration, printPromql } from '#query/promql/printer.ts';

/** The printed tree with its grouping shown, or the error. */
function read(query: string): string {
  try {
    return printPromql(parsePromql(query));
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
}

test.each([
  ['sum(rate(x[5m]))by(job)', 'sum by (job) (rate(x[5m]))'],
  ['SUM WITHOUT (a,) (x)', 'sum without (a) (x)'],
  ['x{a="b",c!="d",e=~"f",g!~`h`}', 'x{a="b",c!="d",e=~"f",g!~"h"}'],
  ['{"my.metric", "l.x"="v"}', '{"l.x"="v",__name__="my.metric"}'],
  ['{__name__="x"}', '{__name__="x"}'],
  ['x offset -5m @ 10.5', 'x @ 10.500 offset -5m'],
  ['x[1h:5m] @ start()', 'x[1h:5m] @ start()'],
  ['x[90s:]', 'x[1m30s:]'],
  ['a == bool on(x) group_left(y,) b', 'a == bool on (x) group_left (y) b'],
  ['a and ignoring(x) b', 'a and ignoring (x) b'],
  ['topk(3, x)', 'topk(3, x)'],
  ['sum + sum', 'sum + sum'],
  ['0x1F + 1_000 + 017 + .5e1 + Inf + nan', '31 + 1000 + 15 + 5 + +Inf + NaN'],
  ['"a\\n\\x41\\u00e9"', '"a\\nAé"'],
  ['x # a comment\n + y', 'x + y'],
  ['5m', '5m'],
])('%s is read as %s', (query, printed) => expect(read(query)).toBe(printed));

test.each([
  ['1 + 2 * 3', 'binary', '+'],
  ['2 * 3 ^ 4 * 5', 'binary', '*'],
  ['a or b and c', 'binary', 'or'],
  ['-a ^ 2', 'unary', '-'],
  ['-a * b', 'binary', '*'],
  ['a > b + 1', 'binary', '>'],
])('the outermost operator of %s is %s %s', (query, kind, operator) => {
  expect(parsePromql(query)).toMatchObject({ kind, operator });
});

test('powers bind to the right, everything else to the left', () => {
  expect(parsePromql('2 ^ 3 ^ 4')).toMatchObject({ left: { value: 2 }, right: { kind: 'binary' } });
  expect(parsePromql('2 - 3 - 4')).toMatchObject({ left: { kind: 'binary' }, right: { value: 4 } });
});

test.each([
  ['', 'unknown position: parse error: no expression found in input'],
  ['1 +', '1:4: parse error: unexpected end of input'],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
  ['a\n+ é', "2:3: parse error: unexpected character: 'é'"],
  ['"é" + ]', "1:8: parse error: unexpected right bracket ']'"],
  ['sum(', '1:5: parse error: unclosed left parenthesis'],
  ['foo)', "1:5: parse error: unexpected right parenthesis ')'"],
  ['foo{', '1:5: parse error: unexpected end of input inside braces'],
  ['foo{a}', '1:6: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['foo{a=b}', '1:7: parse error: unexpected identifier "b" in label matching, expected string'],
  ['foo{1}', "1:5: parse error: unexpected character inside braces: '1'"],
  ['foo{a="b" c="d"}', '1:11: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
  ['foo{a=~"("}', '1:5: parse error: error parsing regexp: missing closing ): `(`'],
  ['foo{a=~"a(?=b)"}', '1:5: parse error: error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ['"abc', '1:1: parse error: unterminated quoted string'],
  ['`abc', '1:1: parse error: unterminated raw string'],
  ['"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"],
  ['a =~ "b"', "1:3: parse error: unexpected character after '=': '~'"],
  ['a ! b', "1:3: parse error: unexpected character after '!': ' '"],
  ['1.2.3', '1:1: parse error: bad number or duration syntax: "1.2."'],
  ['5x', '1:1: parse error: bad number or duration syntax: "5"'],
  ['foo[5m', '1:7: parse error: unclosed left bracket'],
  [
    'foo[]',
    '1:5: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['foo[0]', '1:5: parse error: duration must be greater than 0'],
  [
    'foo[5m] offset',
    '1:15: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  [
    '1 offset 5m',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
  ],
  ['foo offset 1m offset 2m', '1:1: parse error: offset may not be set multiple times'],
  ['foo @ bar', '1:7: parse error: unexpected identifier "bar" in @, expected timestamp'],
  ['foo @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['foo offset 1m [5m]', '1:15: parse error: no offset modifiers allowed before range'],
  ['(foo)[5m]', '1:6: parse error: ranges only allowed for vector selectors'],
  ['sum by foo (x)', '1:8: parse error: unexpected identifier "foo" in grouping opts, expected "("'],
  ['sum by (a b) (x)', '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"'],
  ['sum(rate(=))', '1:10: parse error: unexpected "=" in aggregation'],
  ['topk(1 a)', '1:8: parse error: unexpected identifier "a" in aggregation'],
  ['sum(a, *)', '1:6: parse error: trailing commas not allowed in function call args'],
  ['a{x=sum}', '1:5: parse error: unexpected identifier "sum" in label matching, expected string'],
  ['(a[5m', '1:6: parse error: unclosed left parenthesis'],
  ['a[:5m]', '1:4: parse error: unexpected colon before duration in duration expression'],
  [
    'a[step]',
    '1:7: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['a[max(1m, 2m)]', "1:3: parse error: unexpected character in duration expression: 'm'"],
  ['a @ min_of(1, 2)', '1:5: parse error: unexpected "min_of" in @, expected timestamp'],
  ['1hs', '1:1: parse error: unknown unit "hs" in duration "1hs"'],
  ['1.5m', '1:1: parse error: unknown unit "." in duration "1.5m"'],
  ['.5m', '1:1: parse error: not a valid duration string: ".5m"'],
  ['5m1h', '1:1: parse error: not a valid duration string: "5m1h"'],
  ['0.11.', '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0.11.": invalid syntax'],
  ['a + on(x) group_left , b', '1:22: parse error: unexpected "," in grouping opts, expected "("'],
  ['a fill b', '1:3: parse error: unexpected identifier "fill"'],
  [
    '1e400',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e400": value out of range',
  ],
  ['fill(1)', '1:5: parse error: unexpected "("'],
  ['a + fill (0 b', '1:13: parse error: unexpected identifier "b"'],
  ['sum foo', '1:5: parse error: unexpected identifier "foo"'],
  [
    'topk(x)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
  ['topk(x, y)', '1:6: parse error: expected type scalar in aggregation parameter, got instant vector'],
  ['nope(x)', '1:1: parse error: unknown function with name "nope"'],
  ['rate(x)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
  ['rate(x[5m], 1)', '1:1: parse error: expected 1 argument(s) in call to "rate", got 2'],
  ['round()', '1:1: parse error: expected at least 1 argument(s) in call to "round", got 0'],
  ['abs(x,)', '1:6: parse error: trailing commas not allowed in function call args'],
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['1 + bool 1', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['1 and x', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['a and on(x) group_left(y) b', '1:1: parse error: no grouping allowed for "and" operation'],
  ['a + on(x) group_left(x) b', '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'],
  ['1 + on(x) a', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['a[5m] + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  [
    '-"a"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  ],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['x{__name__="y"}', '1:1: parse error: metric name must not be set twice: "x" or "y"'],
])('%j is refused: %s', (query, message) => expect(read(query)).toBe(message));

test.each([
  ['x[5m + 1m]', 'x[5m + 1m]'],
  ['x[-(step())*-2 + max_of(1h, range() / 3)]', 'x[-(step()) * -2 + max_of(1h, range() / 3)]'],
  ['x[step():1m*2] offset (-1*range())', 'x[step():1m * 2] offset (-1 * range())'],
  ['x offset step() + y', 'x offset step() + y'],
  ['a + fill(0) b', 'a + fill (0) b'],
  ['a / on(x) group_left(y) fill_right(-1) b', 'a / on (x) group_left (y) fill_right (-1) b'],
  ['a - fill_right(1) fill_left(2) b', 'a - fill_left (2) fill_right (1) b'],
  ['rate(x[5m] smoothed @ 0 offset 1m)', 'rate(x[5m] smoothed @ 0.000 offset 1m)'],
  ['a and fill(0) b', '1:1: parse error: filling in missing series not allowed for set operators'],
  ['a + fill(0) 1', '1:1: parse error: filling in missing series only allowed between instant vectors'],
  ['a + fill("x") b', '1:10: parse error: unexpected string "\\"x\\""'],
  ['x anchored', '1:1: parse error: anchored modifier can only be used with range selectors'],
  ['x[5m] anchored smoothed', '1:1: parse error: anchored and smoothed modifiers cannot be used together'],
  ['x[5m:] smoothed', '1:1: parse error: smoothed modifier is not supported for subqueries'],
])('%s reads as %s', (query, text) => expect(read(query)).toBe(text));

test('positions are offsets in the query, where Prometheus counts bytes', () => {
  try {
    parsePromql('"é" + ]');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ start: 6, code: 'SONDE_PARSE' });
  }
});

test('nesting and length are bounded', () => {
  expect(read('('.repeat(depthMax + 1))).toBe(
    `1:${depthMax + 1}: parse error: the expression is nested deeper than ${depthMax} levels`,
  );
  expect(read(`${'('.repeat(50)}x${')'.repeat(50)}`)).toContain('x');
  expect(read('x'.repeat(queryLengthMax + 1))).toBe(`the query is longer than ${queryLengthMax} characters`);
  expect(read(`x${' + x'.repeat(20_000)}`)).toBe(
    '1:8003: parse error: the expression has more than 2000 operators',
  );
  expect(read(`x${'[1h:]'.repeat(20_000)}`)).toContain('more than 2000 operators');
});

test('a selector alone is what match[] takes', () => {
  expect(parseSelector('up{job="a"}').matchers).toEqual([
    { name: 'job', op: '=', value: 'a' },
    { name: '__name__', op: '=', value: 'up' },
  ]);
  expect(() => parseSelector('up + 1')).toThrow('1:4: parse error: unexpected <op:+>');
});

test.each([
  [300_000, '5m'],
  [5_400_000, '1h30m'],
  [604_800_000, '1w'],
  [90_061_001, '1d1h1m1s1ms'],
  [0, '0s'],
])('%d ms are written %s', (ms, text) => expect(printDuration(ms)).toBe(text));

test.each([
  [1e21, '1000000000000000000000'],
  [1.5e-7, '0.00000015'],
  [-2.5e22, '-25000000000000000000000'],
  [0.1, '0.1'],
])('%d is written %s, without an exponent', (value, text) => expect(formatDecimal(value)).toBe(text));

test('any text is a tree or a ParseError', () => {
  const piece = fc.constantFrom(
    ...[
      'sum',
      'rate',
      'x',
      'by',
      'on',
      'offset',
      '@',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ',',
      '=',
      '=~',
      '!~',
      '!=',
    ],
    ...[
      '+',
      '-',
      '^',
      'and',
      'bool',
      'group_left',
      '5m',
      '1',
      '"a"',
      '`',
      '"',
      ':',
      '#',
      '\n',
      ' ',
      'é',
      '\\',
      'start()',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = read(pieces.join(' '));
      expect(text).not.toContain('BUG');
    }),
    { numRuns: 3000 },
  );
});
