/** Whether an expression has the same value at every step, because `@` fixes the time of all its selectors. */
import { functionImplementation } from './functions/registry.ts';
import type { Expression } from './tree.ts';

export function isStepInvariant(expression: Expression): boolean {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return true;
    case 'vector':
      return expression.at !== undefined;
    case 'matrix':
      return expression.selector.at !== undefined;
    case 'subquery':
      return expression.at !== undefined;
    case 'parentheses':
    case 'unary':
      return isStepInvariant(expression.expression);
    case 'binary':
      return isStepInvariant(expression.left) && isStepInvariant(expression.right);
    case 'aggregation':
      return (
        isStepInvariant(expression.expression) &&
        (expression.parameter === undefined || isStepInvariant(expression.parameter))
      );
    case 'call': {
      const implementation = functionImplementation(expression.name);
      const dependsOnTime =
        expression.name === 'predict_linear' ||
        (implementation?.kind === 'whole' && implementation.dependsOnTime === true);
      return !dependsOnTime && expression.args.every(isStepInvariant);
    }
    default:
      return expression satisfies never;
  }
}
