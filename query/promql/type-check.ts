/** Checks a parsed tree: types, numbers of arguments, modifiers that do not fit. Error texts are Prometheus's. */
import type { LabelMatcher } from '#model/labels.ts';
import { metricNameLabel } from '#model/labels.ts';
import { quoteText } from '../language/quoted-string.ts';
import { functionSignature } from './function-table.ts';
import { matchesLabel } from './match-label.ts';
import { parseError } from './parser-input.ts';
import {
  type Aggregation,
  type Binary,
  type Call,
  type Expression,
  isComparison,
  isSetOperator,
  type ValueType,
  type VectorSelector,
} from './tree.ts';

/** A value type as the documentation calls it. */
export function typeName(type: ValueType): string {
  return { vector: 'instant vector', matrix: 'range vector', scalar: 'scalar', string: 'string' }[type];
}

/** The type of an expression's value. */
export function expressionType(expression: Expression): ValueType {
  switch (expression.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'vector':
    case 'aggregation':
      return 'vector';
    case 'parentheses':
    case 'unary':
      return expressionType(expression.expression);
    case 'call':
      return functionSignature(expression.name)?.returns ?? 'vector';
    case 'binary': {
      const areScalars =
        expressionType(expression.left) === 'scalar' && expressionType(expression.right) === 'scalar';
      return areScalars ? 'scalar' : 'vector';
    }
    default:
      return expression satisfies never;
  }
}

/** Returns the type. Throws ParseError on the first mistake, in Prometheus's order. */
export function checkTypes(text: string, expression: Expression): ValueType {
  const fail = (range: { start: number; end: number }, fact: string) => parseError(text, range, fact);
  switch (expression.kind) {
    case 'aggregation':
      checkAggregation(text, expression);
      break;
    case 'binary':
      checkBinary(text, expression);
      break;
    case 'call':
      checkCall(text, expression);
      break;
    case 'parentheses':
      checkTypes(text, expression.expression);
      break;
    case 'unary': {
      const type = checkTypes(text, expression.expression);
      if (type === 'scalar' || type === 'vector') break;
      throw fail(
        expression,
        `unary expression only allowed on expressions of type scalar or instant vector, got "${typeName(type)}"`,
      );
    }
    case 'subquery': {
      const type = checkTypes(text, expression.expression);
      if (type === 'vector') break;
      throw fail(expression, `subquery is only allowed on instant vector, got ${type} instead`);
    }
    case 'matrix':
      checkSelector(text, expression.selector);
      break;
    case 'vector':
      checkSelector(text, expression);
      break;
    case 'number':
    case 'string':
      break;
    default:
      expression satisfies never;
  }
  return expressionType(expression);
}

function expectType(text: string, expression: Expression, wanted: ValueType, context: string): void {
  const type = checkTypes(text, expression);
  if (type === wanted) return;
  const fact = `expected type ${typeName(wanted)} in ${context}, got ${typeName(type)}`;
  throw parseError(text, expression, fact);
}

function checkAggregation(text: string, { operator, expression, parameter }: Aggregation): void {
  expectType(text, expression, 'vector', 'aggregation expression');
  if (parameter === undefined) return;
  expectType(text, parameter, operator === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
}

function checkBinary(text: string, expression: Binary): void {
  const { left, right, operator, matching, returnsBool } = expression;
  const leftType = checkTypes(text, left);
  const rightType = checkTypes(text, right);
  const operatorRange = trimRange(text, left.end, right.start);
  if (returnsBool && !isComparison(operator)) {
    throw parseError(text, operatorRange, 'bool modifier can only be used on comparison operators');
  }
  if (isComparison(operator) && !returnsBool && leftType === 'scalar' && rightType === 'scalar') {
    throw parseError(text, operatorRange, 'comparisons between scalars must use BOOL modifier');
  }
  const twice = matching.isOn ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (twice !== undefined) {
    const fact = `label ${quoteText(twice)} must not occur in ON and GROUP clause at once`;
    throw parseError(text, operatorRange, fact);
  }
  for (const [side, type] of [
    [left, leftType],
    [right, rightType],
  ] as const) {
    if (type === 'scalar' || type === 'vector') continue;
    throw parseError(text, side, 'binary expression must contain only scalar and instant vector types');
  }
  const areVectors = leftType === 'vector' && rightType === 'vector';
  if (!areVectors && matching.labels.length > 0) {
    throw parseError(text, expression, 'vector matching only allowed between instant vectors');
  }
  const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  if (fills && !areVectors) {
    throw parseError(text, expression, 'filling in missing series only allowed between instant vectors');
  }
  if (fills && isSetOperator(operator)) {
    throw parseError(text, expression, 'filling in missing series not allowed for set operators');
  }
  if (areVectors && isSetOperator(operator) && matching.cardinality !== 'many-to-many') {
    throw parseError(text, expression, `no grouping allowed for "${operator}" operation`);
  }
  if (!areVectors && isSetOperator(operator)) {
    throw parseError(text, expression, `set operator "${operator}" not allowed in binary scalar expression`);
  }
}

function trimRange(text: string, start: number, end: number): { start: number; end: number } {
  let from = start;
  let to = end;
  while (from < to && /\s/.test(text[from])) from++;
  while (to > from && /\s/.test(text[to - 1])) to--;
  return { start: from, end: to };
}

function checkCall(text: string, call: Call): void {
  const signature = functionSignature(call.name);
  if (signature === undefined) throw new Error(`BUG: the parser let the unknown function ${call.name} pass`);
  const { argTypes, variadic } = signature;
  const count = call.args.length;
  const complain = (wanted: string) =>
    parseError(text, call, `expected ${wanted} argument(s) in call to "${call.name}", got ${count}`);
  if (variadic === 0) {
    if (count !== argTypes.length) throw complain(`${argTypes.length}`);
  } else {
    const least = argTypes.length - 1;
    if (count < least) throw complain(`at least ${least}`);
    if (variadic > 0 && count > least + variadic) throw complain(`at most ${least + variadic}`);
  }
  for (const [i, arg] of call.args.entries()) {
    const wanted = argTypes[Math.min(i, argTypes.length - 1)];
    if (call.name === 'info' && i === 1) {
      checkInfoSelector(text, call, arg);
      continue;
    }
    expectType(text, arg, wanted, `call to function "${call.name}"`);
  }
}

/** The second argument of info() is no vector but the matchers of one. */
function checkInfoSelector(text: string, call: Call, arg: Expression): void {
  const type = expressionType(arg);
  if (type !== 'vector') {
    const fact = `expected type ${typeName('vector')} in call to function "info", got ${typeName(type)}`;
    throw parseError(text, call, fact);
  }
  if (arg.kind !== 'vector') throw parseError(text, arg, 'expected label selectors only');
  if (arg.name === '') return;
  throw parseError(text, arg, 'expected label selectors only, got vector selector instead');
}

function checkSelector(text: string, selector: VectorSelector): void {
  const { name, matchers } = selector;
  if (name !== '') {
    const other = matchers.slice(0, -1).find((matcher) => matcher.name === metricNameLabel);
    if (other === undefined) return;
    const fact = `metric name must not be set twice: ${quoteText(name)} or ${quoteText(other.value)}`;
    throw parseError(text, selector, fact);
  }
  const isEmpty = (matcher: LabelMatcher) => matchesLabel(matcher, '');
  if (matchers.every(isEmpty)) {
    throw parseError(text, selector, 'vector selector must contain at least one non-empty matcher');
  }
}
