/**
 * Goal: what is printed is read as the same tree. Method: trees of every kind of node, made at random (seeded): those
 * that the type check refuses are left out, and there must be enough of the others.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ParseError } from '#query/language/parse-error.ts';
import { parsePromql } from '#query/promql/parser.ts';
import { prettifyPromql } from '#query/promql/prettify.ts';
import { printPromql } from '#query/promql/printer.ts';

const labelName = fc.constantFrom('a', 'job', '"a.b"', '"ü x"');
const matcher = fc
  .tuple(
    labelName,
    fc.constantFrom('=', '!=', '=~', '!~'),
    fc.constantFrom('""', '"x"', '"a|b"', '`\\d+`', '"é\\n"'),
  )
  .map((parts) => parts.join(''));
const number = fc.constantFrom('0', '1', '1.5', '1e10', '0x1f', 'Inf', 'NaN', '5m', '1.', '.5', '1_000');
const literal = fc.constantFrom('5m', '1h30m', '90', '1.5s', '1d');
const duration: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    fc.constantFrom('step()', 'range()'),
    tie('any').map((inner) => `(${inner})`),
    tie('any').map((inner) => `-(${inner})`),
    fc
      .tuple(tie('any'), fc.constantFrom('+', '-', '*', '/', '%', '^'), tie('any'))
      .map((parts) => parts.join(' ')),
    fc
      .tuple(fc.constantFrom('min_of', 'max_of'), tie('any'), tie('any'))
      .map(([name, left, right]) => `${name}(${left}, ${right})`),
  ),
})).any;
const offset = fc.oneof(
  fc.constant(''),
  literal.map((text) => ` offset ${text}`),
  literal.map((text) => ` offset -${text}`),
  duration.map((text) => ` offset (${text})`),
);
const at = fc.constantFrom('', ' @ 0', ' @ 1609746000.5', ' @ -3.25', ' @ start()', ' @ end()');
const mode = fc.constantFrom('', '', ' anchored', ' smoothed');
const plainSelector = fc.oneof(
  fc.constantFrom('x', 'a:b', 'http_requests_total'),
  fc
    .tuple(fc.constantFrom('x', '', ''), fc.array(matcher, { minLength: 1, maxLength: 3 }))
    .map(([name, matchers]) => `${name}{${matchers.join(', ')}}`),
  fc.array(matcher, { maxLength: 2 }).map((matchers) => `{${['"http.status"', ...matchers].join(',')}}`),
);
const names = fc.uniqueArray(labelName, { maxLength: 2 }).map((list) => `(${list.join(', ')})`);
const matching = fc.oneof(
  fc.constant(''),
  fc.tuple(fc.constantFrom('on', 'ignoring'), names).map((parts) => ` ${parts.join(' ')}`),
  fc
    .tuple(fc.constantFrom('on', 'ignoring'), names, fc.constantFrom('group_left', 'group_right'), names)
    .map((parts) => ` ${parts.join(' ')}`),
);
const fill = fc.constantFrom('', '', '', ' fill(0)', ' fill_left(1e6)', ' fill_right(-2) fill_left(NaN)');
const operators = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  'atan2',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '</',
  '>/',
  'and',
  'or',
  'unless',
];

const expression: fc.Arbitrary<string> = fc.letrec<{ any: string; range: string }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(plainSelector, mode, at, offset).map(([text, how, when, by]) => text + how + when + by),
    number,
    tie('any').map((inner) => `(${inner})`),
    tie('any').map((inner) => `-${inner}`),
    fc
      .tuple(
        tie('any'),
        fc.constantFrom(...operators),
        fc.constantFrom('', '', ' bool'),
        matching,
        fill,
        tie('any'),
      )
      .map(
        ([left, operator, bool, how, filled, right]) => `${left} ${operator}${bool}${how}${filled} ${right}`,
      ),
    fc
      .tuple(
        fc.constantFrom('sum', 'group', 'count'),
        fc.constantFrom('', 'by', 'without'),
        names,
        tie('any'),
      )
      .map(([name, word, list, inner]) => `${name} ${word === '' ? '' : `${word} ${list}`} (${inner})`),
    tie('any').map((inner) => `topk by (a) (3, ${inner})`),
    tie('any').map((inner) => `count_values("v", ${inner})`),
    fc
      .tuple(fc.constantFrom('rate', 'max_over_time', 'changes'), tie('range'))
      .map(([name, range]) => `${name}(${range})`),
    tie('any').map((inner) => `histogram_quantile(0.9, ${inner})`),
    tie('any').map((inner) => `label_replace(${inner}, "a", "$1", "b", "(.*)")`),
    fc.constantFrom('time()', 'hour()', 'step()', 'pi()'),
  ),
  range: fc.oneof(
    fc
      .tuple(plainSelector, duration, mode, at, offset)
      .map(([text, range, ...rest]) => `${text}[${range}]${rest.join('')}`),
    fc
      .tuple(tie('any'), duration, fc.oneof(fc.constant(''), duration), at, offset)
      .map(([inner, range, step, ...rest]) => `(${inner})[${range}:${step}]${rest.join('')}`),
  ),
})).any;

/** Positions go with the text, and the order of matchers has no meaning. */
function withoutPositions(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner) => {
    if (key === 'start' || key === 'end') return typeof inner === 'number' ? undefined : inner;
    if (key !== 'matchers') return inner;
    return (inner as object[]).map((one) => JSON.stringify(one)).sort();
  });
}

test('every tree is read from its text as it was', () => {
  let acceptedCount = 0;
  fc.assert(
    fc.property(expression, (text) => {
      let tree: ReturnType<typeof parsePromql>;
      try {
        tree = parsePromql(text);
      } catch (error) {
        if (error instanceof ParseError) return;
        throw error;
      }
      acceptedCount++;
      const printed = printPromql(tree);
      expect(withoutPositions(parsePromql(printed)), `${text}  ->  ${printed}`).toEqual(
        withoutPositions(tree),
      );
      const pretty = prettifyPromql(tree);
      expect(withoutPositions(parsePromql(pretty)), `${text}  ->  ${pretty}`).toEqual(withoutPositions(tree));
    }),
    { seed: 20260101, numRuns: 3000 },
  );
  expect(acceptedCount).toBeGreaterThan(600);
});
