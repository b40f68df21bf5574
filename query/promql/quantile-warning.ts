/** The warning for a quantile outside 0..1, worded as Prometheus words it. */
import type { Evaluation } from './evaluation.ts';
import { renderG } from './go-float.ts';
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
