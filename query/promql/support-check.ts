/** Refuses, before anything is read, what the parser knows and the evaluator does not. */
import { functionImplementation } from './functions/registry.ts';
import { unsupported } from './parser-input.ts';
import type { Expression } from './tree.ts';

/** Throws ParseError naming the first thing that is not supported yet, and its position. */
export function checkSupport(text: string, expression: Expression): void {
  switch (expression.kind) {
    case 'call':
      if (functionImplementation(expression.name) === undefined) {
        throw unsupported(text, expression, `function "${expression.name}" is`);
      }
      for (const arg of expression.args) checkSupport(text, arg);
      break;
    case 'aggregation':
      if (expression.parameter !== undefined) checkSupport(text, expression.parameter);
      checkSupport(text, expression.expression);
      break;
    case 'binary':
      checkSupport(text, expression.left);
      checkSupport(text, expression.right);
      break;
    case 'parentheses':
    case 'unary':
    case 'subquery':
      checkSupport(text, expression.expression);
      break;
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
      break;
    default:
      expression satisfies never;
  }
}
