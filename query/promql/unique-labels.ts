/** Whether the series of a function of a range vector are told apart by their labels alone. */
import { metricNameLabel } from '#model/labels.ts';
import { rangeArgument } from './evaluate-range-call.ts';
import type { Evaluation } from './evaluation.ts';
import { functionImplementation } from './functions/registry.ts';
import type { Call } from './tree.ts';

/** Without the name, series of several metrics may become the same: then they must be looked at together. */
export function hasUniqueLabels(evaluation: Evaluation, call: Call): boolean {
  if (evaluation.delaysNameRemoval) return true;
  const implementation = functionImplementation(call.name);
  if (implementation?.kind !== 'range') return false;
  if (implementation.keepsName) return true;
  const range = rangeArgument(call);
  return (
    range.kind === 'matrix' &&
    range.selector.matchers.some(({ name, op }) => name === metricNameLabel && op === '=')
  );
}
