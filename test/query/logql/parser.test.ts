/**
 * Goal: LogQL is read as Loki reads it, refused in Loki's words, and what is missing is named, never guessed.
 * Method: tables of query -> printed tree and query -> message; then two properties, over random trees and random text.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParseError } from '#query/language/parse-error.ts';
import { stagesMax } from '#query/logql/parse-log.ts';
import { parseLogql, parseLogSelector } from '#query/logql/parser.ts';
import { depthMax, operationsMax } from '#query/logql/parser-input.ts';
import { renderLogql } from '#query/logql/printer.ts';
import { aggregators, type LogqlExpr, type MetricExpr, rangeFunctions } from '#query/logql/tree.ts';

function messageOf(query: string): string {
  try {
    return `parsed as ${renderLogql(parseLogql(query))}`;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    expect(error.start).toBeGreaterThanOrEqual(0);
    expect(error.end).toBeGreaterThanOrEqual(error.start);
    return error.message;
  }
}

test.each([
  ['{app="a"}', '{app="a"}'],
  ['{ app = `a` , b != "x", c=~"d.*",e!~"f" }', '{app="a", b!="x", c=~"d.*", e!~"f"}'],
  ['{app="a"}|="x"!= "y" |~ "z" !~`\\d+`', '{app="a"} |= "x" != "y" |~ "z" !~ "\\\\d+"'],
  ['{app="a"} |= "x" or "y" != "z"', '{app="a"} |= "x" or "y" != "z"'],
  ['{app="a"} # a comment\n |= "x"', '{app="a"} |= "x"'],
  ['({app="a"} |= "x")', '{app="a"} |= "x"'],
  ['{app="a\\"b\\n"}', '{app="a\\"b\\n"}'],
  ['{app="a"} | drop __error__, __error_details__ |= "x"', '{app="a"} |= "x"'],
  ['rate({app="a"} |= "x" | drop __error__[5m])', 'rate({app="a"} |= "x" [5m])'],
  ['count_over_time({app="a"}[5m])', 'count_over_time({app="a"} [5m])'],
  ['rate({app="a"}[90s] |= "x")', 'rate({app="a"} |= "x" [1m30s])'],
  ['rate(({app="a"} |= "x")[1h30m] offset 1d)', 'rate({app="a"} |= "x" [1h30m] offset 24h)'],
  ['bytes_rate({app="a"}[1.5s] offset -5m)', 'bytes_rate({app="a"} [1s500ms] offset -5m)'],
  ['sum by (a, b) (rate({app="a"}[1m]))', 'sum by (a, b) (rate({app="a"} [1m]))'],
  ['sum(rate({app="a"}[1m])) without (a)', 'sum without (a) (rate({app="a"} [1m]))'],
  ['sum by () (vector(1))', 'sum by () (vector(1))'],
  ['vector(1)+vector(1)', 'vector(1) + vector(1)'],
  ['1 + -2 / 1', '1 + (-2 / 1)'],
  ['1 - 2 - 3', '(1 - 2) - 3'],
  ['2 ^ 3 ^ 2', '2 ^ (3 ^ 2)'],
  ['(1 + 2) * .5', '(1 + 2) * 0.5'],
])('%s', (query, printed) => expect(renderLogql(parseLogql(query))).toBe(printed));

const needsMatcher =
  'parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. ' +
  'For instance, app=~".*" does not meet this requirement, but app=~".+" will';

describe('what Loki refuses is refused in its words', () => {
  test.each([
    ['', 'parse error : syntax error: unexpected $end'],
    ['foo', 'parse error at line 1, col 1: syntax error: unexpected IDENTIFIER'],
    ['{', 'parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }'],
    ['{app}', 'parse error at line 1, col 5: syntax error: unexpected }, expecting = or =~ or !~ or !='],
    ['{app=}', 'parse error at line 1, col 6: syntax error: unexpected }, expecting STRING'],
    ['{foo="bar"', 'parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,'],
    ['{foo="bar",}', 'parse error at line 1, col 12: syntax error: unexpected }, expecting IDENTIFIER'],
    ['{foo="bar}', 'parse error at line 1, col 6: literal not terminated'],
    ["{foo='bar'}", 'parse error at line 1, col 6: illegal char literal'],
    ['{foo="\\q"}', 'parse error at line 1, col 6: invalid char escape'],
    [
      '{foo="bar"} |~',
      'parse error at line 1, col 15: syntax error: unexpected $end, expecting STRING or ip',
    ],
    ['{foo="bar"} "foo"', 'parse error at line 1, col 13: syntax error: unexpected STRING'],
    ['{foo="bar"} foo', 'parse error at line 1, col 13: syntax error: unexpected IDENTIFIER'],
    ['{foo="ü"} foo', 'parse error at line 1, col 11: syntax error: unexpected IDENTIFIER'],
    ['{foo="bar"}\n  foo', 'parse error at line 2, col 3: syntax error: unexpected IDENTIFIER'],
    ['{foo=~"("}', 'parse error at line 1, col 7: error parsing regexp: missing closing ): `(`'],
    ['{foo="bar"} |~ "["', 'parse error at line 1, col 16: error parsing regexp: missing closing ]: `[`'],
    ['sum({job="mysql"})', 'parse error at line 1, col 18: syntax error: unexpected )'],
    ['rate({foo="bar"})', 'parse error at line 1, col 17: syntax error: unexpected )'],
    ['rate({foo="bar"}[5x])', 'parse error at line 1, col 17: not a valid duration string: "5x"'],
    ['rate({foo="bar"}[5m', "parse error at line 1, col 17: missing closing ']' in duration"],
    ['rate({foo="bar"}[5m]', 'parse error at line 1, col 21: syntax error: unexpected $end'],
    ['{}', needsMatcher],
    ['{app=~".*"}', needsMatcher],
    ['{app!="a"}', needsMatcher],
    ['{} foo', 'parse error at line 1, col 4: syntax error: unexpected IDENTIFIER'],
  ])('%s', (query, message) => expect(messageOf(query)).toBe(message));
});

describe('what Loki has and we have not is refused by its name and place', () => {
  test.each([
    ['{a="b"} | json', 'col 9: the pipeline stage "| json" is not supported yet'],
    ['{a="b"} |= "x" | logfmt | y="z"', 'col 16: the pipeline stage "| logfmt" is not supported yet'],
    ['{a="b"} | trace_id="0"', 'col 9: the pipeline stage "| trace_id" is not supported yet'],
    ['{a="b"} | drop level', 'col 9: the pipeline stage "| drop" is not supported yet'],
    ['{a="b"} | drop __error__, level', 'col 27: dropping other labels than __error__ is not supported yet'],
    ['{a="b"} | drop __error__="x"', 'col 25: dropping a label by its value is not supported yet'],
    ['{a="b"} | line_format "{{.x}}"', 'col 9: the pipeline stage "| line_format" is not supported yet'],
    ['{a="b"} |= ip("10.0.0.0/8")', 'col 12: the ip() filter is not supported yet'],
    ['{a="b"} |> "<_>"', 'col 9: the pattern filter |> is not supported yet'],
    [
      'quantile_over_time(0.9, {a="b"} | unwrap x [5m])',
      'col 1: the function quantile_over_time() is not supported yet',
    ],
    ['topk(5, rate({a="b"}[5m]))', 'col 1: the function topk() is not supported yet'],
    ['rate({a="b"}[5m]) > 1', 'col 19: the comparison ">" is not supported yet'],
    ['rate({a="b"}[5m]) or vector(1)', 'col 19: the operator "or" is not supported yet'],
    ['rate({a="b"}[5m]) / on (x) rate({a="b"}[5m])', 'col 21: "on" is not supported yet'],
  ])('%s', (query, message) => expect(messageOf(query)).toBe(`parse error at line 1, ${message}`));

  test('nesting beyond the limit', () => {
    const deep = `${'('.repeat(depthMax)}1${')'.repeat(depthMax)}`;
    expect(messageOf(deep)).toContain(`the query is nested deeper than ${depthMax} levels`);
  });

  test.each([
    [`1${' + 1'.repeat(100_000 / 4)}`, `the query has more than ${operationsMax} operators`],
    [`{a="b"}${' |= "x"'.repeat(stagesMax + 1)}`, `a pipeline of more than ${stagesMax} filters`],
    [`{a="b"} |= "x"${' or "x"'.repeat(stagesMax)}`, `a filter of more than ${stagesMax} alternatives`],
    [`{${'a="b",'.repeat(stagesMax + 1)}a="b"}`, `a selector of more than ${stagesMax} matchers`],
    [`sum by (${'a,'.repeat(stagesMax)}a) (vector(1))`, `grouping by more than ${stagesMax} labels`],
  ])('more parts than the limit: %.20s', (query, message) => expect(messageOf(query)).toContain(message));

  test('a text beyond the limit', () => expect(messageOf(' '.repeat(300_000))).toContain('longer than'));
});

test('a selector alone is parsed, anything behind it is refused', () => {
  expect(parseLogSelector('{a="b"}')).toEqual([{ name: 'a', op: '=', value: 'b' }]);
  expect(() => parseLogSelector('{a="b"} |= "x"')).toThrow(
    'anything but a stream selector here is not supported yet',
  );
});

const name = fc.constantFrom('app', 'pod_1', '_x', 'level');
const value = fc
  .string({ unit: 'grapheme', maxLength: 6 })
  .filter((text) => text !== '' && !text.includes('\ufffd'));
const log = fc.record({
  kind: fc.constant('log' as const),
  matchers: fc.array(fc.record({ name, op: fc.constant('=' as const), value }), {
    minLength: 1,
    maxLength: 3,
  }),
  lineFilters: fc.array(
    fc.record({
      op: fc.constantFrom('|=' as const, '!=' as const),
      values: fc.array(value, { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
});
const { metric } = fc.letrec<{ metric: MetricExpr }>((tie) => ({
  metric: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      kind: fc.constant('number' as const),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    }),
    fc.record({ kind: fc.constant('vector' as const), value: fc.nat() }),
    fc.record({
      kind: fc.constant('range' as const),
      name: fc.constantFrom(...rangeFunctions),
      log,
      rangeNano: fc.bigInt({ min: 1n, max: 10n ** 15n }),
      offsetNano: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    }),
    fc.record(
      {
        kind: fc.constant('aggregation' as const),
        name: fc.constantFrom(...aggregators),
        grouping: fc.record({
          word: fc.constantFrom('by' as const, 'without' as const),
          labels: fc.array(name),
        }),
        inner: tie('metric'),
      },
      { requiredKeys: ['kind', 'name', 'inner'] },
    ),
    fc.record({
      kind: fc.constant('binary' as const),
      op: fc.constantFrom('+' as const, '-' as const, '*' as const, '/' as const, '%' as const, '^' as const),
      left: tie('metric'),
      right: tie('metric'),
    }),
  ),
}));

test('what is printed is read back as the same tree', () => {
  fc.assert(
    fc.property(fc.oneof(log, metric), (expr: LogqlExpr) => {
      expect(parseLogql(renderLogql(expr))).toEqual(expr);
    }),
  );
});

test('any text is a tree or a ParseError', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      ',',
      '=',
      '=~',
      '!=',
      '|=',
      '|~',
      '|',
      '"a"',
      '`b`',
      "'",
      '"',
      '5m',
      '1',
      '-',
    ],
    ...[
      'app',
      'sum',
      'rate',
      'by',
      'or',
      'offset',
      'vector',
      ' ',
      '\n',
      '#',
      '\\',
      'é',
      '\ud800',
      '{app="a"}',
    ],
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 15 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (query) => {
      expect(typeof messageOf(query)).toBe('string');
    }),
    { numRuns: 1000 },
  );
});
