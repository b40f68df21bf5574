/**
 * PromQL text to tree, with Prometheus's own error texts and positions.
 *
 *   parsePromql('sum by (job) (rate(x[5m])) > 1')  ->  Binary '>' of an Aggregation and a NumberLiteral
 *
 * Binary operators by precedence climbing; everything else by recursive descent, at most depthMax deep.
 */
import { ParseError } from '../language/parse-error.ts';
import { quoteText, unquote } from '../language/quoted-string.ts';
import { functionSignature } from './function-table.ts';
import {
  aggregatorWords,
  callWords,
  isKeyword,
  isMetricWord,
  isNumberWord,
  operatorWords,
} from './lexical.ts';
import { quantitySeconds } from './parse-duration.ts';
import { parsePostfix, parseVectorSelector } from './parse-selector.ts';
import { ParserInput, parseError } from './parser-input.ts';
import {
  type Aggregation,
  type AggregationOperator,
  type Binary,
  type BinaryOperator,
  type Cardinality,
  type Expression,
  isSetOperator,
  operatorPrecedence,
  type VectorMatching,
  type VectorSelector,
} from './tree.ts';
import { checkTypes, expressionType } from './type-check.ts';

/** Returns the checked tree. Throws ParseError with the text that Prometheus answers. */
export function parsePromql(text: string): Expression {
  // Prometheus has no place to name in no text.
  if (text === '') throw new ParseError('unknown position: parse error: no expression found in input', 0, 0);
  const input = new ParserInput(text);
  if (input.isAtEnd) {
    throw parseError(text, { start: 0, end: 0 }, 'no expression found in input');
  }
  const expression = parseExpression(input);
  if (!input.isAtEnd) throw input.unexpected();
  checkTypes(text, expression);
  return expression;
}

/** Parses a selector alone, as `match[]` has it. Throws ParseError. */
export function parseSelector(text: string): VectorSelector {
  const input = new ParserInput(text);
  const { token } = input;
  if (!(token.kind === 'word' && isMetricWord(token.text)) && !input.isOperator('{'))
    throw input.unexpected();
  const selector = parseVectorSelector(input);
  if (!input.isAtEnd) throw input.unexpected();
  return selector;
}

function parseExpression(input: ParserInput, precedenceMin = 1): Expression {
  return input.nested(() => {
    let left = parseUnary(input);
    for (;;) {
      const operator = binaryOperator(input);
      if (operator === undefined || operatorPrecedence[operator] < precedenceMin) return left;
      left = parseBinary(input, left, operator);
    }
  });
}

function binaryOperator(input: ParserInput): BinaryOperator | undefined {
  const { kind, text } = input.token;
  const name = kind === 'word' ? text.toLowerCase() : text;
  if (kind === 'word' ? !operatorWords.has(name) : kind !== 'operator') return undefined;
  return Object.hasOwn(operatorPrecedence, name) ? (name as BinaryOperator) : undefined;
}

function parseBinary(input: ParserInput, left: Expression, operator: BinaryOperator): Expression {
  input.countOperator();
  input.next();
  const returnsBool = input.isWord('bool');
  if (returnsBool) input.next();
  const matching = parseMatching(input, operator);
  const precedence = operatorPrecedence[operator];
  const right = parseExpression(input, operator === '^' ? precedence : precedence + 1);
  const range = { start: left.start, end: right.end };
  const binary = { kind: 'binary', operator, left, right, returnsBool, matching, ...range } as const;
  return matchesNothing(binary) ? { ...binary, matching: unmatched } : binary;
}

const unmatched: VectorMatching = {
  cardinality: 'one-to-one',
  isOn: false,
  labels: [],
  include: [],
  fillLeft: undefined,
  fillRight: undefined,
};

/** `x + on () 1`: a number is matched with all, and Prometheus forgets that anything else was said. */
function matchesNothing({ operator, left, right, matching }: Binary): boolean {
  const { labels, fillLeft, fillRight } = matching;
  const isRefused = labels.length > 0 || fillLeft !== undefined || fillRight !== undefined;
  if (isRefused || isSetOperator(operator)) return false;
  return expressionType(left) === 'scalar' || expressionType(right) === 'scalar';
}

function parseMatching(input: ParserInput, operator: BinaryOperator): VectorMatching {
  let isOn = false;
  let labels: readonly string[] = [];
  let include: readonly string[] = [];
  let cardinality: Cardinality = isSetOperator(operator) ? 'many-to-many' : 'one-to-one';
  if (input.isWord('on') || input.isWord('ignoring')) {
    isOn = input.next().text.toLowerCase() === 'on';
    labels = parseGroupingLabels(input);
    if (input.isWord('group_left') || input.isWord('group_right')) {
      cardinality = input.next().text.toLowerCase() === 'group_left' ? 'many-to-one' : 'one-to-many';
      if (input.isOperator('(')) include = parseGroupingLabels(input);
      else if (!beginsOperand(input)) throw input.unexpected('grouping opts', '"("');
    }
  }
  return { cardinality, isOn, labels, include, ...parseFills(input) };
}

/** `fill(0)`, or `fill_left(0)` and `fill_right(1)` in any order. */
function parseFills(input: ParserInput): Pick<VectorMatching, 'fillLeft' | 'fillRight'> {
  let fillLeft: number | undefined;
  let fillRight: number | undefined;
  for (;;) {
    const { token, following } = input;
    const isCall = following.kind === 'operator' && following.text === '(';
    const name = token.kind === 'word' && isCall ? token.text.toLowerCase() : '';
    if (name === 'fill' && fillLeft === undefined && fillRight === undefined) {
      const value = parseFillValue(input);
      return { fillLeft: value, fillRight: value };
    }
    if (name === 'fill_left' && fillLeft === undefined) fillLeft = parseFillValue(input);
    else if (name === 'fill_right' && fillRight === undefined) fillRight = parseFillValue(input);
    else return { fillLeft, fillRight };
  }
}

function parseFillValue(input: ParserInput): number {
  input.next();
  input.next();
  const sign = input.isOperator('-') ? -1 : 1;
  if (input.isOperator('-') || input.isOperator('+')) input.next();
  const { token } = input;
  const isWord = token.kind === 'word' && isNumberWord(token.text);
  if (token.kind !== 'number' && token.kind !== 'duration' && !isWord) {
    throw input.unexpected();
  }
  const value = isWord ? numberWordValue(input.next().text) : quantitySeconds(input);
  if (!input.isOperator(')')) throw input.unexpected();
  input.next();
  return sign * value;
}

function numberWordValue(word: string): number {
  return word.toLowerCase() === 'inf' ? Infinity : NaN;
}

function parseGroupingLabels(input: ParserInput): string[] {
  if (!input.isOperator('(')) throw input.unexpected('grouping opts', '"("');
  input.next();
  const labels: string[] = [];
  while (!input.isOperator(')')) {
    const token = input.token;
    if (token.kind === 'string') labels.push(unquote(token.text));
    else if (token.kind === 'word' && !isNumberWord(token.text)) labels.push(token.text);
    else throw input.unexpected('grouping opts', 'label');
    if (labels.at(-1) === '') throw parseError(input.text, token, 'invalid label name for grouping: ""');
    input.next();
    if (input.accept(',')) continue;
    if (!input.isOperator(')')) throw input.unexpected('grouping opts', '"," or ")"');
  }
  input.next();
  return labels;
}

/** A sign binds like `*`: `-x ^ 2` is -(x ^ 2). */
function parseUnary(input: ParserInput): Expression {
  if (!input.isOperator('-') && !input.isOperator('+')) return parsePostfix(input, parsePrimary(input));
  const { start, text } = input.next();
  const expression = parseExpression(input, operatorPrecedence['^']);
  if (expression.kind === 'number') {
    return { ...expression, value: text === '-' ? -expression.value : expression.value, start };
  }
  return { kind: 'unary', operator: text as '+' | '-', expression, start, end: expression.end };
}

function parsePrimary(input: ParserInput): Expression {
  const token = input.token;
  switch (token.kind) {
    case 'number':
    case 'duration': {
      const value = quantitySeconds(input);
      return {
        kind: 'number',
        value,
        isDuration: token.kind === 'duration',
        start: token.start,
        end: token.end,
      };
    }
    case 'string':
      input.next();
      return { kind: 'string', value: unquote(token.text), start: token.start, end: token.end };
    case 'operator':
      if (token.text === '(') return parseParentheses(input);
      if (token.text === '{') return parseVectorSelector(input);
      throw input.unexpected();
    case 'word':
      return parseWord(input);
    default:
      throw input.unexpected();
  }
}

function parseParentheses(input: ParserInput): Expression {
  const { start } = input.next();
  const expression = parseExpression(input);
  if (!input.isOperator(')')) throw input.unexpected();
  const { end } = input.next();
  return { kind: 'parentheses', expression, start, end };
}

function parseWord(input: ParserInput): Expression {
  const { text, start, end } = input.token;
  if (isNumberWord(text)) {
    input.next();
    return {
      kind: 'number',
      value: numberWordValue(text),
      isDuration: false,
      start,
      end,
    };
  }
  const { following } = input;
  const isCall = following.kind === 'operator' && following.text === '(';
  if (aggregatorWords.has(text.toLowerCase())) {
    const hasModifier = following.kind === 'word' && /^(by|without)$/i.test(following.text);
    if (isCall || hasModifier) return input.within('aggregation', () => parseAggregation(input));
  } else if (isCall && !isKeyword(text) && !callWords.has(text.toLowerCase()) && !text.includes(':')) {
    return parseCall(input);
  }
  if (isCall && /^(start|end|step|range)$/.test(text)) return parseCall(input);
  if (!isMetricWord(text)) throw input.unexpected();
  return parseVectorSelector(input);
}

function parseCall(input: ParserInput): Expression {
  const name = input.next();
  const args = parseArguments(input);
  if (functionSignature(name.text) === undefined) {
    throw parseError(input.text, name, `unknown function with name ${quoteText(name.text)}`);
  }
  return { kind: 'call', name: name.text, args, start: name.start, end: input.endBefore };
}

function parseArguments(input: ParserInput): Expression[] {
  const args: Expression[] = [];
  if (!input.isOperator('(')) throw input.unexpected('aggregation');
  input.next();
  if (input.accept(')')) return args;
  for (;;) {
    args.push(parseExpression(input));
    if (input.accept(')')) return args;
    if (!input.isOperator(',')) throw input.unexpected();
    const comma = input.next();
    if (!beginsExpression(input)) {
      throw parseError(input.text, comma, 'trailing commas not allowed in function call args');
    }
  }
}

/** What may follow matching labels: fills come before the operand. */
function beginsOperand(input: ParserInput): boolean {
  return callWords.has(input.token.text.toLowerCase()) || beginsExpression(input);
}

function beginsExpression({ token, following }: ParserInput): boolean {
  const { kind, text } = token;
  if (kind === 'operator') return /^[({+-]$/.test(text);
  if (kind !== 'word') return kind !== 'end';
  const isCall = following.kind === 'operator' && following.text === '(';
  return isNumberWord(text) || isMetricWord(text) || (isCall && !isKeyword(text));
}

const operatorsWithParameter = new Set([
  'topk',
  'bottomk',
  'quantile',
  'count_values',
  'limitk',
  'limit_ratio',
]);

function parseAggregation(input: ParserInput): Aggregation {
  const token = input.next();
  const operator = token.text.toLowerCase() as AggregationOperator;
  const isModifier = () => input.isWord('by') || input.isWord('without');
  const modifier = () => {
    const isWithout = input.next().text.toLowerCase() === 'without';
    return { isWithout, grouping: parseGroupingLabels(input) };
  };
  let how: { isWithout: boolean; grouping: readonly string[] } = { isWithout: false, grouping: [] };
  if (isModifier()) how = modifier();
  const before = input.endBefore;
  const args = parseArguments(input);
  if (before === token.end && isModifier()) how = modifier();
  const range = { start: token.start, end: input.endBefore };
  if (args.length === 0) {
    throw parseError(input.text, range, 'no arguments for aggregate expression provided');
  }
  const wanted = operatorsWithParameter.has(operator) ? 2 : 1;
  if (args.length !== wanted) {
    throw parseError(
      input.text,
      range,
      `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
    );
  }
  const parameter = wanted === 2 ? args[0] : undefined;
  return { kind: 'aggregation', operator, expression: args[wanted - 1], parameter, ...how, ...range };
}
