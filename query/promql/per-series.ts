/**
 * Expressions whose series come one from another, each by itself: `abs(x)`, `-x`, `rate(x[5m]) * 60`. They need no more
 * than one series at a time, where two of them cannot become one.
 */
import { metricNameLabel } from '#model/labels.ts';
import { rangeArgument } from './evaluate-range-call.ts';
import { functionImplementation } from './functions/registry.ts';
import { type Binary, type Call, type Expression, isSetOperator, unwrapParentheses } from './tree.ts';
import { expressionType } from './type-check.ts';

/** Whether the series of an expression differ also without the metric's name. */
export function hasOneMetric(expression: Expression): boolean {
  const inner = unwrapParentheses(expression);
  switch (inner.kind) {
    case 'vector':
      return inner.matchers.some(({ name, op }) => name === metricNameLabel && op === '=');
    case 'unary':
      return hasOneMetric(inner.expression);
    case 'binary': {
      const side = vectorSide(inner);
      return side !== undefined && hasOneMetric(side);
    }
    case 'call': {
      const kind = functionImplementation(inner.name)?.kind;
      if (kind === 'value') return hasOneMetric(inner.args[0]);
      if (kind !== 'range') return false;
      const range = rangeArgument(inner);
      return hasOneMetric(range.kind === 'matrix' ? range.selector : range.expression);
    }
    default:
      return false;
  }
}

/** The side that is a vector, where the other is a scalar. */
export function vectorSide({ operator, left, right }: Binary): Expression | undefined {
  if (isSetOperator(operator)) return undefined;
  const [leftType, rightType] = [expressionType(left), expressionType(right)];
  if (leftType === 'vector' && rightType === 'scalar') return left;
  return leftType === 'scalar' && rightType === 'vector' ? right : undefined;
}

/** Whether a call's series may be handed on one by one. */
export function streamsSeries(call: Call, delaysNameRemoval: boolean): boolean {
  const implementation = functionImplementation(call.name);
  if (implementation?.kind !== 'range') return implementation?.kind === 'value' && hasOneMetric(call);
  if (delaysNameRemoval || implementation.keepsName === true) return true;
  return hasOneMetric(call);
}
