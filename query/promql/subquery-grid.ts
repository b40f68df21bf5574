/** Where a subquery's expression is evaluated. */
import type { Evaluation } from './evaluation.ts';
import { fixedTimeMs } from './evaluation.ts';
import { executionError } from './execution-error.ts';
import { windowEnds } from './sample-window.ts';
import type { StepGrid } from './step-series.ts';
import type { Subquery } from './tree.ts';

/** Bounds the columns of a subquery before they are allocated: 1 s steps over a week. */
const subqueryStepsMax = 700_000;

/** The multiples of the subquery's step that its windows cover; undefined where there is none. Throws (422). */
export function subqueryGrid(
  times: Pick<Evaluation, 'queryStartMs' | 'queryEndMs' | 'subqueryStepMs'>,
  subquery: Subquery,
  grid: StepGrid,
): StepGrid | undefined {
  const stepMs = subquery.stepMs ?? times.subqueryStepMs;
  const ends = windowEnds(grid, subquery.offsetMs, fixedTimeMs(times, subquery.at));
  const startMs = (Math.floor((ends.firstMs - subquery.rangeMs) / stepMs) + 1) * stepMs;
  const count = Math.floor((ends.lastMs - startMs) / stepMs) + 1;
  if (count <= 0) return undefined;
  if (count > subqueryStepsMax) {
    throw executionError(`a subquery has more than ${subqueryStepsMax} steps: give it a larger step`);
  }
  return { startMs, stepMs, count };
}
