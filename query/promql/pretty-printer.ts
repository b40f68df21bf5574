/**
 * Writes a tree over several lines where it is long, as Prometheus's /format_query does: what has more than a hundred
 * bytes is split at its outermost operator or call.
 *
 *   sum(
 *     rate(...)
 *   )
 */
import { printAggregator, printOperator, printPromql, printSubqueryEnd } from './printer.ts';
import type { Expression } from './tree.ts';

const lineBytesMax = 100;

/** `level` counts the steps of indentation that the lines begin with. */
export function printPromqlPretty(expression: Expression, level = 0): string {
  const indent = '  '.repeat(level);
  const text = printPromql(expression);
  const isShort = Buffer.byteLength(text) <= lineBytesMax;
  switch (expression.kind) {
    case 'unary':
      return `${indent}${expression.operator}${printPromqlPretty(expression.expression, level).trim()}`;
    case 'subquery':
      // Without indentation where it is short: Prometheus's own habit.
      if (isShort) return text;
      return printPromqlPretty(expression.expression, level) + printSubqueryEnd(expression);
    case 'parentheses':
      if (isShort) break;
      return `${indent}(\n${printPromqlPretty(expression.expression, level + 1)}\n${indent})`;
    case 'aggregation': {
      if (isShort) break;
      const { parameter } = expression;
      const first = parameter === undefined ? '' : `${printPromqlPretty(parameter, level + 1)},\n`;
      const inner = printPromqlPretty(expression.expression, level + 1);
      return `${indent}${printAggregator(expression)}(\n${first}${inner}\n${indent})`;
    }
    case 'binary': {
      if (isShort) break;
      const left = printPromqlPretty(expression.left, level + 1);
      const right = printPromqlPretty(expression.right, level + 1);
      return `${left}\n${indent}${printOperator(expression)}\n${right}`;
    }
    case 'call': {
      if (isShort) break;
      const args = expression.args.map((arg) => printPromqlPretty(arg, level + 1));
      return `${indent}${expression.name}(\n${args.join(',\n')}\n${indent})`;
    }
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
      break;
    default:
      return expression satisfies never;
  }
  return indent + text;
}
