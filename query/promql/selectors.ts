/** The vector selectors of an expression, in the order of its text: `rate(a[5m]) / on(x) b` has a and b. */
import type { Expression, VectorSelector } from './tree.ts';

export function selectorsOf(expression: Expression): VectorSelector[] {
  switch (expression.kind) {
    case 'vector':
      return [expression];
    case 'matrix':
      return [expression.selector];
    case 'subquery':
    case 'parentheses':
    case 'unary':
      return selectorsOf(expression.expression);
    case 'binary':
      return [...selectorsOf(expression.left), ...selectorsOf(expression.right)];
    case 'aggregation': {
      const { parameter } = expression;
      return [
        ...(parameter === undefined ? [] : selectorsOf(parameter)),
        ...selectorsOf(expression.expression),
      ];
    }
    case 'call':
      return expression.args.flatMap(selectorsOf);
    case 'number':
    case 'string':
      return [];
    default:
      return expression satisfies never;
  }
}
