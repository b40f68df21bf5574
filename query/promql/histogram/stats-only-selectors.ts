/** Finds the selectors whose histograms need no buckets, because all that is asked of them is count, sum or mean. */
import { type Expression, isTrim, type VectorSelector } from '../tree.ts';

const statsFunctions = new Set(['histogram_count', 'histogram_sum', 'histogram_avg']);
const bucketFunctions = new Set(['histogram_quantile', 'histogram_quantiles', 'histogram_fraction']);

export function findStatsOnlySelectors(expression: Expression): ReadonlySet<VectorSelector> {
  const found = new Set<VectorSelector>();
  collect(expression, false, found);
  return found;
}

function collect(expression: Expression, isStatsOnly: boolean, found: Set<VectorSelector>): void {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return;
    case 'vector':
      if (isStatsOnly) found.add(expression);
      return;
    case 'matrix':
      if (isStatsOnly) found.add(expression.selector);
      return;
    case 'subquery':
      // Its steps pass over samples, so that what was known of resets does not hold between them.
      collect(expression.expression, false, found);
      return;
    case 'parentheses':
    case 'unary':
      collect(expression.expression, isStatsOnly, found);
      return;
    case 'aggregation':
      if (expression.parameter !== undefined) collect(expression.parameter, false, found);
      collect(expression.expression, isStatsOnly && expression.operator !== 'count_values', found);
      return;
    case 'binary': {
      const { operator } = expression;
      const looksAtBuckets = isTrim(operator) || operator === '==' || operator === '!=';
      collect(expression.left, isStatsOnly && !looksAtBuckets, found);
      collect(expression.right, isStatsOnly && !looksAtBuckets, found);
      return;
    }
    case 'call': {
      const wants =
        statsFunctions.has(expression.name) || (isStatsOnly && !bucketFunctions.has(expression.name));
      for (const arg of expression.args) collect(arg, wants, found);
      return;
    }
    default:
      expression satisfies never;
  }
}
