/**
 * Writes a tree as PromQL text of several lines where one would be too long, as Prometheus's format_query does:
 *
 *   sum by (job) (
 *     rate(requests_total{...}[5m])
 *   )
 */
import { printAggregator, printOperator, printPromql, printSubqueryRange } from './printer.ts';
import type { Expression } from './tree.ts';

/** Bytes of an expression that stays on one line. */
const lineMax = 100;

/** `level` is how far the expression's lines are indented. */
export function prettifyPromql(expression: Expression, level = 0): string {
  const indent = '  '.repeat(level);
  const line = printPromql(expression);
  if (expression.kind === 'subquery') {
    // Prometheus does not indent a short one.
    if (fitsLine(line)) return line;
    return `${prettifyPromql(expression.expression, level)}${printSubqueryRange(expression)}`;
  }
  if (expression.kind === 'unary') {
    return `${indent}${expression.operator}${prettifyPromql(expression.expression, level).trim()}`;
  }
  if (fitsLine(line)) return `${indent}${line}`;
  const inner = (one: Expression) => prettifyPromql(one, level + 1);
  switch (expression.kind) {
    case 'aggregation': {
      const { parameter } = expression;
      const first = parameter === undefined ? '' : `${inner(parameter)},\n`;
      return `${indent}${printAggregator(expression)}(\n${first}${inner(expression.expression)}\n${indent})`;
    }
    case 'binary':
      return `${inner(expression.left)}\n${indent}${printOperator(expression)}\n${inner(expression.right)}`;
    case 'call':
      return `${indent}${expression.name}(\n${expression.args.map(inner).join(',\n')}\n${indent})`;
    case 'parentheses':
      return `${indent}(\n${inner(expression.expression)}\n${indent})`;
    default:
      return `${indent}${line}`;
  }
}

function fitsLine(text: string): boolean {
  return Buffer.byteLength(text) <= lineMax;
}
