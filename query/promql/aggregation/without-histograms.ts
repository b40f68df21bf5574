/** For aggregations that have no use for histograms. */
import type { Evaluation } from '../evaluation.ts';
import type { FloatHistogram } from '../histogram/float-histogram.ts';
import { ignoredInAggregation } from '../histogram/histogram-notes.ts';
import { numbersOnly, type StepSeries } from '../step-series.ts';
import type { Aggregation, Expression } from '../tree.ts';

/** Leaves histograms out, and says so at `place`: of the steps that the aggregation looks at. */
export function withoutHistograms(
  evaluation: Evaluation,
  { operator }: Aggregation,
  place: Expression,
  series: StepSeries,
  looksAt: (step: number) => boolean = () => true,
): StepSeries {
  const { histograms, present } = series;
  if (histograms === undefined) return series;
  const isIgnored = (histogram: FloatHistogram | undefined, step: number) =>
    histogram !== undefined && present[step] === 1 && looksAt(step);
  if (histograms.some(isIgnored)) evaluation.annotations.inform(ignoredInAggregation(operator), place);
  return numbersOnly(series);
}
