/**
 * Writes a tree as PromQL text, as Prometheus writes it: `parsePromql(printPromql(tree))` is the same tree
 * up to positions and the order of matchers.
 *
 *   sum by (job) (rate(x{a="b"}[5m] offset 1m))
 */

import { quoteText } from '../language/quoted-string.ts';
import { renderG } from './go-float.ts';
import type {
  Aggregation,
  Binary,
  DurationExpression,
  Expression,
  Subquery,
  VectorMatching,
  VectorSelector,
} from './tree.ts';

export function printPromql(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return expression.isDuration ? printDurationNumber(expression.value) : printNumber(expression.value);
    case 'string':
      return quoteText(expression.value);
    case 'vector':
      return printSelector(expression, '');
    case 'matrix':
      return printSelector(
        expression.selector,
        `[${printRange(expression.rangeMs, expression.rangeExpression)}]`,
      );
    case 'subquery':
      return `${printPromql(expression.expression)}${printSubqueryRange(expression)}`;
    case 'parentheses':
      return `(${printPromql(expression.expression)})`;
    case 'unary':
      return `${expression.operator}${printPromql(expression.expression)}`;
    case 'binary':
      return `${printPromql(expression.left)} ${printOperator(expression)} ${printPromql(expression.right)}`;
    case 'aggregation': {
      const { parameter } = expression;
      const args = parameter === undefined ? '' : `${printPromql(parameter)}, `;
      return `${printAggregator(expression)}(${args}${printPromql(expression.expression)})`;
    }
    case 'call':
      return `${expression.name}(${expression.args.map(printPromql).join(', ')})`;
    default:
      return expression satisfies never;
  }
}

/** What stands before the parentheses: `sum by (job) `. */
export function printAggregator({ operator, isWithout, grouping }: Aggregation): string {
  const labels = grouping.map(printLabelName).join(', ');
  return `${operator}${isWithout ? ` without (${labels}) ` : grouping.length > 0 ? ` by (${labels}) ` : ''}`;
}

/** `[1h:5m] @ end() offset 1m`. */
export function printSubqueryRange(subquery: Subquery): string {
  const { stepMs, stepExpression, rangeMs, rangeExpression } = subquery;
  const step =
    stepMs === undefined && stepExpression === undefined ? '' : printRange(stepMs ?? 0, stepExpression);
  return `[${printRange(rangeMs, rangeExpression)}:${step}]${printAt(subquery)}${printOffset(subquery)}`;
}

/** What stands between the operands: `/ on (job) group_left ()`. */
export function printOperator({ operator, returnsBool, matching }: Binary): string {
  const { isOn, labels, include, cardinality } = matching;
  let modifier = returnsBool ? ' bool' : '';
  const grouped = cardinality === 'many-to-one' || cardinality === 'one-to-many';
  if (isOn || labels.length > 0 || grouped) {
    modifier += ` ${isOn ? 'on' : 'ignoring'} (${labels.map(printLabelName).join(', ')})`;
  }
  if (grouped) {
    const side = cardinality === 'many-to-one' ? 'left' : 'right';
    modifier += ` group_${side} (${include.map(printLabelName).join(', ')})`;
  }
  return `${operator}${modifier}${printFills(matching)}`;
}

function printFills({ fillLeft, fillRight }: VectorMatching): string {
  if (fillLeft !== undefined && fillLeft === fillRight) return ` fill (${renderG(fillLeft)})`;
  const left = fillLeft === undefined ? '' : ` fill_left (${renderG(fillLeft)})`;
  const right = fillRight === undefined ? '' : ` fill_right (${renderG(fillRight)})`;
  return left + right;
}

function printRange(ms: number, expression: DurationExpression | undefined): string {
  return expression === undefined ? printDuration(ms) : printDurationExpression(expression);
}

function printDurationExpression(expression: DurationExpression): string {
  switch (expression.kind) {
    case 'literal':
      return expression.isDuration
        ? printDurationNumber(expression.seconds)
        : printNumber(expression.seconds);
    case 'step':
    case 'range':
      return `${expression.kind}()`;
    case 'parentheses':
      return `(${printDurationExpression(expression.inner)})`;
    case 'sign':
      return `${expression.operator === '-' ? '-' : ''}${printDurationExpression(expression.inner)}`;
    case 'choice':
      return `${expression.name}(${printDurationExpression(expression.left)}, ${printDurationExpression(expression.right)})`;
    case 'operation':
      return `${printDurationExpression(expression.left)} ${expression.operator} ${printDurationExpression(expression.right)}`;
    default:
      return expression satisfies never;
  }
}

function printSelector(selector: VectorSelector, brackets: string): string {
  const { name, matchers } = selector;
  const rest = name === '' ? matchers : matchers.slice(0, -1);
  const printed = rest
    .map((matcher) => `${printLabelName(matcher.name)}${matcher.op}${quoteText(matcher.value)}`)
    .sort();
  const braces = printed.length > 0 || name === '' ? `{${printed.join(',')}}` : '';
  const modifier = selector.modifier === undefined ? '' : ` ${selector.modifier}`;
  const at = printAt(selector);
  const times = brackets === '' ? `${at}${modifier}` : `${modifier}${at}`;
  return `${name}${braces}${brackets}${times}${printOffset(selector)}`;
}

function printAt({ at }: VectorSelector | Subquery): string {
  if (at === undefined) return '';
  return typeof at === 'number' ? ` @ ${(at / 1000).toFixed(3)}` : ` @ ${at}()`;
}

function printOffset({ offsetMs, offsetExpression }: VectorSelector | Subquery): string {
  if (offsetExpression !== undefined) return ` offset ${printDurationExpression(offsetExpression)}`;
  if (offsetMs === 0) return '';
  return offsetMs > 0 ? ` offset ${printDuration(offsetMs)}` : ` offset -${printDuration(-offsetMs)}`;
}

export function printLabelName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quoteText(name);
}

function printDurationNumber(seconds: number): string {
  const ms = Math.round(Math.abs(seconds) * 1000);
  return `${seconds < 0 ? '-' : ''}${printDuration(ms)}`;
}

const units = [
  ['y', 31_536_000_000, true],
  ['w', 604_800_000, true],
  ['d', 86_400_000, false],
  ['h', 3_600_000, false],
  ['m', 60_000, false],
  ['s', 1000, false],
  ['ms', 1, false],
] as const;

/** Writes milliseconds as Prometheus does: 1h30m, 1d; years and weeks only where nothing is left over. */
export function printDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  let rest = durationMs;
  let text = '';
  for (const [unit, factor, mustBeExact] of units) {
    if (mustBeExact && rest % factor !== 0) continue;
    const count = Math.floor(rest / factor);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * factor;
  }
  return text;
}

/** Writes a number as Go's %v with 'f' does: no exponent; Inf as +Inf. */
export function printNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return formatDecimal(value);
}

/** The shortest decimal digits that give the same double, never with an exponent (Go's 'f', -1). */
export function formatDecimal(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, first, fraction = '', exponentText] = match;
  const digits = first + fraction;
  const exponent = Number(exponentText);
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const integer = digits.padEnd(exponent + 1, '0');
  return `${sign}${integer.slice(0, exponent + 1)}`;
}
