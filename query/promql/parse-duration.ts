/** Parses durations between brackets and after `offset`: literals, and expressions of them. */
import { parseDurationMs, parseNumber } from '../language/quantity.ts';
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
  const literal = outer.kind === 'sign' ? outer.inner : outer;
  if (literal.kind !== 'literal') return { ms: 0, expression };
  const isNegative = outer.kind === 'sign' && outer.operator === '-';
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
    context === 'offset' ? parsePrimary(input, context, expected) : parseSum(input, context, expected, 3);
  return { kind: 'sign', operator, inner };
}

function parsePrimary(input: ParserInput, context: string, expected: string): DurationExpression {
  const { token, following } = input;
  if (token.kind === 'number' || token.kind === 'duration') {
    return { kind: 'literal', seconds: quantitySeconds(input), isDuration: token.kind === 'duration' };
  }
  if (input.accept('(')) {
    const inner = parseSum(input, context, expected);
    input.expect(')', context, '")"');
    return { kind: 'parentheses', inner };
  }
  const isCall = following.kind === 'operator' && following.text === '(';
  const name = token.kind === 'word' && isCall ? token.text.toLowerCase() : '';
  if (name === 'step' || name === 'range') {
    input.next();
    input.next();
    input.expect(')', context, '")"');
    return { kind: name };
  }
  if (name === 'min' || name === 'max' || name === 'min_of' || name === 'max_of') {
    input.next();
    input.next();
    const left = parseSum(input, context, expected);
    input.expect(',', context, '","');
    const right = parseSum(input, context, expected);
    input.expect(')', context, '")"');
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
  return value;
}

function durationMistake(token: Token): string {
  return /^(\d+(y|w|d|h|m|s|ms))*$/.test(token.text) &&
    /^(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.test(token.text)
    ? 'duration out of range'
    : `not a valid duration string: "${token.text}"`;
}
