/** The warning for a quantile outside 0..1, worded as Prometheus words it. */
import type { Evaluation } from './evaluation.ts';
import type { Expression } from './tree.ts';

/** `quantiles` has one value per step; each bad one is named once. */
export function warnInvalidQuantile(
  evaluation: Evaluation,
  argument: Expression,
  quantiles: Float64Array,
): void {
  for (const q of quantiles) {
    if (q >= 0 && q <= 1) continue;
    evaluation.annotations.warn(`quantile value should be between 0 and 1, got ${renderG(q)}`, argument);
  }
}

/** Go's %g for numbers that people write as quantiles. */
function renderG(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
