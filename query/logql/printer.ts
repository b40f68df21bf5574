/**
 * Writes a tree as LogQL. parseLogql(renderLogql(tree)) is the same tree.
 *
 *   renderLogql(parseLogql('{ app = `a` }|="x"'))  ->  '{app="a"} |= "x"'
 */
import { quoteText } from '../language/quoted-string.ts';
import { renderDuration } from './duration.ts';
import type { BinaryExpr, LogExpr, LogqlExpr } from './tree.ts';

export function renderLogql(expr: LogqlExpr): string {
  switch (expr.kind) {
    case 'log':
      return renderLog(expr);
    case 'range':
      return `${expr.name}(${renderLog(expr.log)} [${renderDuration(expr.rangeNano)}]${renderOffset(expr.offsetNano)})`;
    case 'aggregation': {
      const { grouping } = expr;
      const by = grouping === undefined ? '' : ` ${grouping.word} (${grouping.labels.join(', ')}) `;
      return `${expr.name}${by}(${renderLogql(expr.inner)})`;
    }
    case 'vector':
      return `vector(${renderNumber(expr.value)})`;
    case 'number':
      return renderNumber(expr.value);
    case 'binary':
      return renderBinary(expr);
    default:
      return expr satisfies never;
  }
}

function renderLog({ matchers, lineFilters }: LogExpr): string {
  const selector = matchers.map(({ name, op, value }) => `${name}${op}${quoteText(value)}`);
  const filters = lineFilters.map(({ op, values }) => ` ${op} ${values.map(quoteText).join(' or ')}`);
  return `{${selector.join(', ')}}${filters.join('')}`;
}

function renderOffset(nano: bigint): string {
  if (nano === 0n) return '';
  return nano < 0n ? ` offset -${renderDuration(-nano)}` : ` offset ${renderDuration(nano)}`;
}

/** Parentheses around every operand that is itself an operation: never wrong, whatever binds tighter. */
function renderBinary({ op, left, right }: BinaryExpr): string {
  const side = (expr: LogqlExpr) => (expr.kind === 'binary' ? `(${renderLogql(expr)})` : renderLogql(expr));
  return `${side(left)} ${op} ${side(right)}`;
}

function renderNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
