/** Notes about the ranges of a function: where they are placed, and the hint that rate() was asked of no counter. */
import { labelValue, metricNameLabel } from '#model/labels.ts';
import type { Place } from './annotations.ts';
import type { Evaluation } from './evaluation.ts';
import type { StepSeries } from './step-series.ts';
import type { MatrixSelector, Subquery } from './tree.ts';

/** Prometheus gives notes about a subquery's samples the beginning of the query as their place. */
export function notedPlace(range: MatrixSelector | Subquery): Place {
  return range.kind === 'subquery' ? { start: 0, isWholeQuery: true } : range;
}

/** `series` is what the function made of one series, with its name. Histograms are counters by themselves. */
export function noteNonCounter(
  evaluation: Evaluation,
  { labels, present, histograms }: StepSeries,
  range: MatrixSelector | Subquery,
): void {
  const name = labelValue(labels, metricNameLabel);
  if (name === '' || /_(total|sum|count|bucket)$/.test(name)) return;
  const isNumber = (flag: number, step: number) => flag === 1 && histograms?.[step] === undefined;
  if (!present.some(isNumber)) return;
  const fact = `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${JSON.stringify(name)}`;
  evaluation.annotations.inform(fact, notedPlace(range));
}
