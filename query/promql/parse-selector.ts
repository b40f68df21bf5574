/** Parses selectors: `name{label="value"}`, and what may follow them: ranges, `offset`, `@`. */
import type { LabelMatcher } from '#model/labels.ts';
import { metricNameLabel } from '#model/labels.ts';
import { unquote } from '../language/quoted-string.ts';
import { compileRegex } from '../language/regex.ts';
import { renderF } from './go-float.ts';
import { isNumberWord } from './lexical.ts';
import {
  type ParsedDuration,
  parseBracketDuration,
  parseOffsetDuration,
  quantitySeconds,
} from './parse-duration.ts';
import { type ParserInput, parseError } from './parser-input.ts';
import type {
  AtModifier,
  Expression,
  MatrixSelector,
  RangeModifier,
  Subquery,
  VectorSelector,
} from './tree.ts';

const durationsExpected = 'number, duration, step(), or range()';

/** Parses a selector that begins here: with a metric's name, or with "{". */
export function parseVectorSelector(input: ParserInput): VectorSelector {
  const start = input.token.start;
  const name = input.token.kind === 'word' ? input.next().text : '';
  const matchers = name === '' || input.isOperator('{') ? parseMatchers(input) : [];
  if (name !== '') matchers.push({ name: metricNameLabel, op: '=', value: name });
  const rest = { offsetMs: 0, at: undefined, modifier: undefined };
  return { kind: 'vector', name, matchers, ...rest, start, end: input.endBefore };
}

function parseMatchers(input: ParserInput): LabelMatcher[] {
  const matchers: LabelMatcher[] = [];
  input.next();
  while (!input.isOperator('}')) {
    matchers.push(parseMatcher(input));
    if (input.accept(',')) continue;
    if (!input.isOperator('}')) throw input.unexpected('label matching', '"," or "}"');
  }
  input.next();
  return matchers;
}

function parseMatcher(input: ParserInput): LabelMatcher {
  const label = input.token;
  if (label.kind !== 'word' && label.kind !== 'string') {
    throw input.unexpected('label matching', 'identifier or "}"');
  }
  input.next();
  const name = label.kind === 'string' ? unquote(label.text) : label.text;
  const operator = input.token;
  const isMatch = operator.kind === 'operator' && ['=', '!=', '=~', '!~'].includes(operator.text);
  if (!isMatch) {
    if (label.kind === 'word') throw input.unexpected('label matching', 'label matching operator');
    return { name: metricNameLabel, op: '=', value: name };
  }
  input.next();
  if (input.token.kind !== 'string') throw input.unexpected('label matching', 'string');
  const value = unquote(input.next().text);
  const op = operator.text as LabelMatcher['op'];
  if (op === '=~' || op === '!~') {
    const regex = compileRegex(value);
    if ('mistake' in regex) {
      throw parseError(input.text, { start: label.start, end: input.endBefore }, regex.mistake);
    }
  }
  return { name, op, value };
}

/** Parses what follows an expression and binds closest: `[5m]`, `[1h:1m]`, `offset 5m`, `@ 0`. */
export function parsePostfix(input: ParserInput, first: Expression): Expression {
  let expression = first;
  for (;;) {
    if (input.isOperator('[')) expression = parseBrackets(input, expression);
    else if (input.isOperator('@')) expression = parseAt(input, expression);
    else if (input.isWord('offset')) expression = parseOffset(input, expression);
    else if (input.isWord('anchored') || input.isWord('smoothed')) {
      expression = parseModifier(input, expression);
    } else return expression;
  }
}

function parseBrackets(input: ParserInput, expression: Expression): MatrixSelector | Subquery {
  input.countOperator();
  const open = input.next();
  const { ms: rangeMs, expression: rangeExpression } = parseBracketDuration(
    input,
    'subquery or range selector',
    durationsExpected,
  );
  if (input.accept(':')) {
    let step: ParsedDuration | undefined;
    if (!input.isOperator(']')) {
      step = parseBracketDuration(input, 'subquery selector', durationsExpectedOr('"]"'));
    }
    input.expect(']', 'subquery selector', '"]"');
    const range = { start: expression.start, end: input.endBefore };
    const durations = {
      rangeMs,
      rangeExpression,
      stepMs: step?.expression === undefined ? step?.ms : undefined,
      stepExpression: step?.expression,
    };
    return { kind: 'subquery', expression, ...durations, offsetMs: 0, at: undefined, ...range };
  }
  input.expect(']', 'subquery or range', '":" or "]"');
  const brackets = { start: open.start, end: input.endBefore };
  if (expression.kind !== 'vector') {
    throw parseError(input.text, brackets, 'ranges only allowed for vector selectors');
  }
  if (expression.offsetMs !== 0 || expression.offsetExpression !== undefined) {
    throw parseError(input.text, brackets, 'no offset modifiers allowed before range');
  }
  if (expression.at !== undefined) {
    throw parseError(input.text, brackets, 'no @ modifiers allowed before range');
  }
  const range = { start: expression.start, end: brackets.end };
  return { kind: 'matrix', selector: expression, rangeMs, rangeExpression, ...range };
}

function durationsExpectedOr(last: string): string {
  return `number, duration, step(), range(), or ${last}`;
}

function parseOffset(input: ParserInput, expression: Expression): Expression {
  input.next();
  const { ms: offsetMs, expression: offsetExpression } = parseOffsetDuration(input);
  const end = input.endBefore;
  const selector = expression.kind === 'matrix' ? expression.selector : expression;
  if (selector.kind !== 'vector' && selector.kind !== 'subquery') {
    throw parseError(
      input.text,
      expression,
      'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    );
  }
  if (selector.offsetMs !== 0 || selector.offsetExpression !== undefined) {
    throw parseError(input.text, expression, 'offset may not be set multiple times');
  }
  if (expression.kind === 'matrix')
    return { ...expression, selector: { ...expression.selector, offsetMs, offsetExpression }, end };
  return { ...selector, offsetMs, offsetExpression, end };
}

function parseModifier(input: ParserInput, expression: Expression): Expression {
  const modifier = input.next().text.toLowerCase() as RangeModifier;
  const end = input.endBefore;
  const fail = (fact: string) => parseError(input.text, expression, fact);
  if (expression.kind === 'subquery') throw fail(`${modifier} modifier is not supported for subqueries`);
  const selector = expression.kind === 'matrix' ? expression.selector : expression;
  if (selector.kind !== 'vector') throw fail(`${modifier} modifier not implemented`);
  if (selector.modifier !== undefined && selector.modifier !== modifier) {
    throw fail('anchored and smoothed modifiers cannot be used together');
  }
  if (expression.kind === 'matrix') return { ...expression, selector: { ...selector, modifier }, end };
  if (modifier === 'anchored') throw fail('anchored modifier can only be used with range selectors');
  return { ...selector, modifier, end };
}

function parseAt(input: ParserInput, expression: Expression): Expression {
  input.next();
  const at = parseAtTime(input, expression);
  const end = input.endBefore;
  const selector = expression.kind === 'matrix' ? expression.selector : expression;
  if (selector.kind !== 'vector' && selector.kind !== 'subquery') {
    throw parseError(
      input.text,
      expression,
      '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    );
  }
  if (selector.at !== undefined) {
    throw parseError(input.text, expression, '@ <timestamp> may not be set multiple times');
  }
  if (expression.kind === 'matrix') return { ...expression, selector: { ...expression.selector, at }, end };
  return { ...selector, at, end };
}

function parseAtTime(input: ParserInput, expression: Expression): AtModifier {
  if (input.isWord('start') || input.isWord('end')) {
    const bound = input.next().text.toLowerCase() as 'start' | 'end';
    if (!input.accept('(') || !input.accept(')')) throw input.unexpected('@', 'timestamp');
    return bound;
  }
  const sign = input.isOperator('-') ? -1 : 1;
  if (input.isOperator('-') || input.isOperator('+')) input.next();
  const token = input.token;
  const isNumber = token.kind === 'number' || (token.kind === 'word' && isNumberWord(token.text));
  if (!isNumber && token.kind !== 'duration') throw input.unexpected('@', 'timestamp');
  const seconds = sign * quantitySeconds(input);
  if (!Number.isFinite(seconds) || Math.abs(seconds) >= 2 ** 63) {
    throw parseError(input.text, expression, `timestamp out of bounds for @ modifier: ${renderF(seconds)}`);
  }
  return Math.round(seconds * 1000);
}
