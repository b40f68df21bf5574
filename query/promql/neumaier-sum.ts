/** Neumaier's compensated sum, step for step as Prometheus has it: the same rounding, the same overflow rule. */

/** The compensation after adding `value` to `sum`, which becomes `total`. */
export function compensate(total: number, sum: number, value: number, compensation: number): number {
  if (total === Infinity || total === -Infinity) return 0;
  return Math.abs(sum) >= Math.abs(value)
    ? compensation + (sum - total + value)
    : compensation + (value - total + sum);
}
