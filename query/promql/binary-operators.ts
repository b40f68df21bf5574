/** The arithmetic and comparison operators on two numbers, with Go's corner cases. */
import { type ArithmeticOperator, type BinaryOperator, type ComparisonOperator, isTrim } from './tree.ts';

/** Go's math.Pow where it differs from ECMAScript: 1 to anything is 1, -1 to an infinity too. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1;
  return base ** exponent;
}

const arithmetic: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': power,
  atan2: Math.atan2,
};

const comparison: Readonly<Record<ComparisonOperator, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

export interface NumberOperator {
  /** The value, where it is kept. */
  readonly value: (left: number, right: number) => number;
  /** Undefined for arithmetic, which keeps everything. */
  readonly keeps: ((left: number, right: number) => boolean) | undefined;
}

const leftValue = (left: number) => left;
const never = () => false;

/** How an operator works on numbers. A comparison keeps the left value, or says 0 or 1 with `bool`. */
export function numberOperator(operator: BinaryOperator, returnsBool: boolean): NumberOperator {
  if (Object.hasOwn(arithmetic, operator)) {
    return { value: arithmetic[operator as ArithmeticOperator], keeps: undefined };
  }
  // Without a histogram there is nothing to trim.
  if (isTrim(operator)) return { value: leftValue, keeps: never };
  const compare = comparison[operator as ComparisonOperator];
  if (compare === undefined) throw new Error(`BUG: ${operator} does not work on numbers`);
  if (returnsBool) return { value: (left, right) => (compare(left, right) ? 1 : 0), keeps: undefined };
  return { value: leftValue, keeps: compare };
}
