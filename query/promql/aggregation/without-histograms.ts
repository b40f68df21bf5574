/** For aggregations that have no use for histograms. */
import type { Evaluation } from '../evaluation.ts';
import { ignoredInAggregation } from '../histogram/histogram-notes.ts';
import { numbersOnly, type StepSeries } from '../step-series.ts';
import type { Aggregation } from '../tree.ts';

/** Leaves histograms out, and says so. */
export function withoutHistograms(
  evaluation: Evaluation,
  { operator, expression }: Aggregation,
  series: StepSeries,
): StepSeries {
  const { histograms, present } = series;
  if (histograms === undefined) return series;
  if (histograms.some((histogram, step) => histogram !== undefined && present[step] === 1)) {
    evaluation.annotations.inform(ignoredInAggregation(operator), expression);
  }
  return numbersOnly(series);
}
