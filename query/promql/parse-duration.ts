/** Parses durations between brackets and after `offset`: literals, and expressions of them. */
import { parseDurationMs, parseNumber } from '../language/quantity.ts';
import { quoteText } from '../language/quoted-string.ts';
import type { Token } from '../language/scanner.ts';
import { durationSecondsMax } from './duration-expression.ts';
import { type ParserInput, parseError } from './parser-input.ts';
import type { DurationExpression } from './tree.ts';

/** A duration that is known, or one that will be. */
export interface ParsedDuration {
  /** Zero where there is an expression. */
  readonly ms: number;
  readonly expression: DurationExpression | undefined;
}

const durationsExpected = 'number, duration, step(), or range()';

/** Of a range or a step, which must be positive. */
export function parseBracketDuration(input: ParserInput, context: string, expected: string): ParsedDuration {
  const start = input.token.start;
  const duration = finish(input, start, parseSum(input, context, expected));
  if (duration.expression === undefined && duration.ms <= 0) {
    throw parseError(input.text, { start, end: input.endBefore }, 'duration must be greater than 0');
  }
  return duration;
}

/** After `offset` operators need parentheses: `x offset 5m + y` is a sum of vectors. */
export function parseOffsetDuration(input: ParserInput): ParsedDuration {
  const start = input.token.start;
  return finish(input, start, parseSigned(input, 'offset', durationsExpected));
}

function finish(input: ParserInput, start: number, expression: DurationExpression): ParsedDuration {
  let outer = expression;
  while (outer.kind === 'parentheses') outer = outer.inner;
  let isNegative = false;
  while (outer.kind === 'sign') {
    if (outer.operator === '-') isNegative = !isNegative;
    outer = outer.inner;
  }
  const literal = outer;
  if (literal.kind !== 'literal') return { ms: 0, expression };
  if (literal.seconds > durationSecondsMax) {
    throw parseError(input.text, { start, end: input.endBefore }, 'duration out of range');
  }
  return { ms: Math.round((isNegative ? -literal.seconds : literal.seconds) * 1000), expression: undefined };
}

const precedences: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };

function parseSum(
  input: ParserInput,
  context: string,
  expected: string,
  precedenceMin = 1,
): DurationExpression {
  return input.nested(() => {
    let left = parseSigned(input, context, expected);
    for (;;) {
      const { kind, text } = input.token;
      const precedence = kind === 'operator' ? precedences[text] : undefined;
      if (precedence === undefined || precedence < precedenceMin) return left;
      input.countOperator();
      input.next();
      // Only powers bind to the right.
      const right = parseSum(input, context, expected, text === '^' ? precedence : precedence + 1);
      left = { kind: 'operation', operator: text, left, right };
    }
  });
}

/** A sign binds like `*`: -x ^ 2 is -(x ^ 2). */
function parseSigned(input: ParserInput, context: string, expected: string): DurationExpression {
  if (!input.isOperator('-') && !input.isOperator('+')) return parsePrimary(input, context, expected);
  const operator = input.next().text as '+' | '-';
  const inner =
    context === 'offset'
      ? input.nested(() => parseSigned(input, context, expected))
      : parseSum(input, context, expected, 3);
  return { kind: 'sign', operator, inner };
}

const durationCalls: ReadonlySet<string> = new Set(['step', 'range', 'min_of', 'max_of']);

function parsePrimary(input: ParserInput, context: string, expected: string): DurationExpression {
  const { token, following } = input;
  if (token.kind === 'number' || token.kind === 'duration') {
    return { kind: 'literal', seconds: quantitySeconds(input), isDuration: token.kind === 'duration' };
  }
  if (input.accept('(')) {
    const inner = parseSum(input, context, expected);
    input.expect(')', context, expected);
    return { kind: 'parentheses', inner };
  }
  const isCall = following.kind === 'operator' && following.text === '(';
  const name = token.kind === 'word' ? token.text.toLowerCase() : '';
  if (!isCall && durationCalls.has(name)) {
    input.next();
    throw input.unexpected(context, expected);
  }
  if (name === 'step' || name === 'range') {
    input.next();
    input.next();
    input.expect(')', context, expected);
    return { kind: name };
  }
  if (name === 'min_of' || name === 'max_of') {
    input.next();
    input.next();
    const left = parseSum(input, context, expected);
    input.expect(',', context, expected);
    const right = parseSum(input, context, expected);
    input.expect(')', context, expected);
    return { kind: 'choice', name, left, right };
  }
  throw input.unexpected(context, expected);
}

/** Reads the number or duration here as seconds. */
export function quantitySeconds(input: ParserInput): number {
  const token = input.next();
  if (token.kind === 'duration') {
    const ms = parseDurationMs(token.text);
    if (ms === undefined) throw parseError(input.text, token, durationMistake(token));
    return ms / 1000;
  }
  const value = parseNumber(token.text);
  if (value === undefined) {
    throw parseError(
      input.text,
      token,
      `error parsing number: strconv.ParseFloat: parsing "${token.text}": invalid syntax`,
    );
  }
  if (value === Infinity) {
    const fact = `strconv.ParseFloat: parsing "${token.text}": value out of range`;
    throw parseError(input.text, token, `error parsing number: ${fact}`);
  }
  return value;
}

const unitsInOrder = ['y', 'w', 'd', 'h', 'm', 's', 'ms'];

/** What Prometheus says of a duration that is none, or too long. */
function durationMistake({ text }: Token): string {
  let last = -1;
  if (!/^\d/.test(text)) return `not a valid duration string: ${quoteText(text)}`;
  for (const [, unit] of text.matchAll(/\d+(\D*)/g)) {
    const order = unitsInOrder.indexOf(unit);
    if (unit !== '' && order < 0) return `unknown unit ${quoteText(unit)} in duration ${quoteText(text)}`;
    if (order <= last) return `not a valid duration string: ${quoteText(text)}`;
    last = order;
  }
  return 'duration out of range';
}
