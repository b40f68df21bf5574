/** Binary operators where a side is a histogram: few have a meaning, the others drop the sample and say so. */
import type { Annotations } from '../annotations.ts';
import type { Binary } from '../tree.ts';
import { compact, equalHistograms, type FloatHistogram } from './float-histogram.ts';
import {
  addHistograms,
  divideHistogram,
  multiplyHistogram,
  subtractHistograms,
} from './histogram-arithmetic.ts';
import {
  conflictingResets,
  incompatibleBuckets,
  incompatibleTypes,
  reconciledBounds,
} from './histogram-notes.ts';
import { trimHistogram } from './histogram-trim.ts';

export type SampleValue = number | FloatHistogram;

/** `filtered`: a comparison is false. `meaningless`: the two have no such operator, which is said. */
export type OperatedHistograms = SampleValue | 'filtered' | 'meaningless';

/** Returns what the two become. At least one of them is a histogram. */
export function operateOnHistograms(
  expression: Binary,
  annotations: Annotations,
  left: SampleValue,
  right: SampleValue,
): OperatedHistograms {
  const { operator, returnsBool } = expression;
  const leftIsNumber = typeof left === 'number';
  const rightIsNumber = typeof right === 'number';
  if (!leftIsNumber && !rightIsNumber) {
    if (operator === '+' || operator === '-') return combine(expression, annotations, left, right);
    if (operator === '==' || operator === '!=') {
      const isTrue = equalHistograms(left, right) === (operator === '==');
      if (returnsBool) return isTrue ? 1 : 0;
      return isTrue ? left : 'filtered';
    }
  } else if (!leftIsNumber && rightIsNumber) {
    if (operator === '*') return compact(multiplyHistogram(left, right));
    if (operator === '/') return compact(divideHistogram(left, right));
    if (operator === '</') return compact(trimHistogram(left, right, 'below'));
    if (operator === '>/') return compact(trimHistogram(left, right, 'above'));
  } else if (leftIsNumber && !rightIsNumber && operator === '*') {
    return compact(multiplyHistogram(right, left));
  }
  annotations.inform(incompatibleTypes(left, operator, right), expression);
  return 'meaningless';
}

function combine(
  expression: Binary,
  annotations: Annotations,
  left: FloatHistogram,
  right: FloatHistogram,
): FloatHistogram | 'meaningless' {
  const isSum = expression.operator === '+';
  const combined = isSum ? addHistograms(left, right) : subtractHistograms(left, right);
  if (combined === undefined) {
    annotations.warn(incompatibleBuckets(expression.operator), expression);
    return 'meaningless';
  }
  const operation = isSum ? 'addition' : 'subtraction';
  if (combined.hasResetConflict) annotations.warn(conflictingResets(operation), expression);
  if (combined.reconciledBounds) annotations.inform(reconciledBounds(operation), expression);
  return compact(combined.histogram);
}
