/**
 * Durations that are computed: `x[step() * 4]`, `x offset (1h + 30m)`. They stand in the tree as they were written, and
 * become milliseconds before a query is evaluated, when its step and range are known.
 */
import { executionError } from './execution-error.ts';
import {
  type DurationExpression,
  type Expression,
  type MatrixSelector,
  type Subquery,
  unwrapParentheses,
  type VectorSelector,
} from './tree.ts';

export interface QueryTimes {
  /** Zero for an instant query. */
  readonly stepMs: number;
  readonly rangeMs: number;
}

/**
 * Returns the tree with all durations as numbers: the same objects where nothing was computed. Arguments lose the
 * parentheses around them: notes name the position of what is within, as Prometheus's do. Throws (422).
 */
export function resolveDurations<Node extends Expression>(expression: Node, times: QueryTimes): Node {
  return resolve(expression, times) as Node;
}

function resolve(expression: Expression, times: QueryTimes): Expression {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return expression;
    case 'vector':
      return resolveSelector(expression, times);
    case 'matrix':
      return resolveMatrix(expression, times);
    case 'subquery':
      return resolveSubquery(expression, times);
    case 'parentheses':
    case 'unary': {
      const inner = resolve(expression.expression, times);
      return inner === expression.expression ? expression : { ...expression, expression: inner };
    }
    case 'aggregation': {
      const inner = unwrapParentheses(resolve(expression.expression, times));
      const parameter = expression.parameter && unwrapParentheses(resolve(expression.parameter, times));
      if (inner === expression.expression && parameter === expression.parameter) return expression;
      return { ...expression, expression: inner, parameter };
    }
    case 'binary': {
      const left = resolve(expression.left, times);
      const right = resolve(expression.right, times);
      if (left === expression.left && right === expression.right) return expression;
      return { ...expression, left, right };
    }
    case 'call': {
      const args = expression.args.map((arg) => unwrapParentheses(resolve(arg, times)));
      return args.every((arg, i) => arg === expression.args[i]) ? expression : { ...expression, args };
    }
    default:
      return expression satisfies never;
  }
}

function resolveSelector(selector: VectorSelector, times: QueryTimes): VectorSelector {
  if (selector.offsetExpression === undefined) return selector;
  return { ...selector, offsetMs: milliseconds(selector.offsetExpression, times) };
}

function resolveMatrix(matrix: MatrixSelector, times: QueryTimes): MatrixSelector {
  const selector = resolveSelector(matrix.selector, times);
  if (selector === matrix.selector && matrix.rangeExpression === undefined) return matrix;
  const rangeMs = positive(matrix.rangeExpression, times) ?? matrix.rangeMs;
  return { ...matrix, selector, rangeMs };
}

function resolveSubquery(subquery: Subquery, times: QueryTimes): Subquery {
  const { rangeExpression, stepExpression, offsetExpression } = subquery;
  const expression = resolve(subquery.expression, times);
  const isPlain =
    rangeExpression === undefined && stepExpression === undefined && offsetExpression === undefined;
  if (isPlain && expression === subquery.expression) return subquery;
  return {
    ...subquery,
    expression,
    rangeMs: positive(rangeExpression, times) ?? subquery.rangeMs,
    stepMs: positive(stepExpression, times) ?? subquery.stepMs,
    offsetMs: offsetExpression === undefined ? subquery.offsetMs : milliseconds(offsetExpression, times),
  };
}

function positive(expression: DurationExpression | undefined, times: QueryTimes): number | undefined {
  if (expression === undefined) return undefined;
  const ms = milliseconds(expression, times);
  if (ms <= 0) throw executionError('duration must be greater than 0');
  return ms;
}

/** 63 bits of nanoseconds. */
export const durationSecondsMax = 2 ** 63 / 1e9;

function milliseconds(expression: DurationExpression, times: QueryTimes): number {
  const seconds = evaluate(expression, times);
  if (!(Math.abs(seconds) <= durationSecondsMax)) throw executionError('duration is out of range');
  return Math.trunc(seconds * 1000);
}

/** Seconds. */
function evaluate(expression: DurationExpression, times: QueryTimes): number {
  switch (expression.kind) {
    case 'literal':
      return expression.seconds;
    case 'step':
      return times.stepMs / 1000;
    case 'range':
      return times.rangeMs / 1000;
    case 'parentheses':
      return evaluate(expression.inner, times);
    case 'sign':
      return expression.operator === '-'
        ? -evaluate(expression.inner, times)
        : evaluate(expression.inner, times);
    case 'choice': {
      const left = evaluate(expression.left, times);
      const right = evaluate(expression.right, times);
      return expression.name === 'min_of' ? Math.min(left, right) : Math.max(left, right);
    }
    case 'operation':
      return operate(
        expression.operator,
        evaluate(expression.left, times),
        evaluate(expression.right, times),
      );
    default:
      return expression satisfies never;
  }
}

function operate(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '^':
      return left ** right;
    case '/':
      if (right === 0) throw executionError('division by zero');
      return left / right;
    case '%':
      if (right === 0) throw executionError('modulo by zero');
      return left % right;
    default:
      throw new Error(`BUG: durations have no operator ${operator}`);
  }
}
