/** The warning for a quantile outside 0..1, worded as Prometheus words it. */
import type { Evaluation } from './evaluation.ts';
import { renderG } from './go-float.ts';
import type { Expression } from './tree.ts';

/** An aggregation's: of the quantiles of all steps only the largest and the smallest are named, if they are bad. */
export function warnOutermostQuantiles(
  evaluation: Evaluation,
  argument: Expression,
  quantiles: Float64Array,
): void {
  const numbers = quantiles.filter((q) => !Number.isNaN(q));
  const named = numbers.length < quantiles.length ? [NaN] : [];
  const [largest, smallest] = [Math.max(...numbers), Math.min(...numbers)];
  if (largest > 1) named.push(largest);
  if (smallest < 0) named.push(smallest);
  warnInvalidQuantile(evaluation, argument, Float64Array.from(named));
}

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
