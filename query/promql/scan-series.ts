/**
 * The series of an expression for those who keep none of them: columns are used again for the next series, and a series costs
 * no turn of the event loop. It answers what Evaluation.stream does, where the source can scan and the expression is a
 * selector or a function of one.
 */
import { RangeCallRun } from './evaluate-range-call.ts';
import { countRead, newestPerStep, selectorRange } from './evaluate-selector.ts';
import type { Evaluation } from './evaluation.ts';
import type { ColumnTask } from './functions/column-kernels.ts';
import { functionImplementation } from './functions/registry.ts';
import { isSharedRequest, plannedRead, sharedKey } from './plan/query-plan.ts';
import type { ComputedSeries, SeriesSamples } from './source.ts';
import { isStepInvariant } from './step-invariance.ts';
import { emptySeries, type StepGrid, type StepSeries } from './step-series.ts';
import { type Call, type Expression, unwrapParentheses, type VectorSelector } from './tree.ts';
import { hasUniqueLabels } from './unique-labels.ts';

/** Is forbidden to keep the series. */
type Take = (series: StepSeries) => void;

/** Returns false, before any series was taken, where the expression must be streamed. */
export async function scanSeries(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
  take: Take,
): Promise<boolean> {
  const inner = unwrapParentheses(expression);
  if (evaluation.source.scan === undefined) return false;
  if (grid.count > 1 && isStepInvariant(inner)) return false;
  if (isPlannedOtherwise(evaluation, inner, grid)) return false;
  if (inner.kind === 'vector' && inner.modifier === undefined) {
    await scanSelector(evaluation, inner, grid, take);
    return true;
  }
  return inner.kind === 'call' && (await scanCall(evaluation, inner, grid, take));
}

/** Values that stand in several places are kept, and what a plan has the store compute is not read as samples. */
function isPlannedOtherwise({ plan }: Evaluation, expression: Expression, grid: StepGrid): boolean {
  const read = plannedRead(plan, expression, grid);
  if (read !== undefined && (read.path !== 'kernel' || isSharedRequest(plan, read.shape.request)))
    return true;
  return sharedKey(plan, expression, grid) !== undefined;
}

async function scanSelector(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
  take: Take,
): Promise<void> {
  const { ends, range } = selectorRange(evaluation, selector, grid);
  const { lookbackMs, budget } = evaluation;
  const scratch = emptySeries([], grid.count);
  await scan(evaluation, selector, range, (samples) => {
    budget.addSamples(grid.count);
    const series = newestPerStep(samples, ends, grid.count, lookbackMs, 'value', scratch);
    if (series !== undefined) take(series);
    return undefined;
  });
}

async function scanCall(evaluation: Evaluation, call: Call, grid: StepGrid, take: Take): Promise<boolean> {
  const implementation = functionImplementation(call.name);
  if (implementation?.kind !== 'range' || !hasUniqueLabels(evaluation, call)) return false;
  const run = await RangeCallRun.create(evaluation, call, implementation, grid);
  const { selector } = run;
  if (selector === undefined || selector.modifier !== undefined) return false;
  const scratch = emptySeries([], grid.count);
  const visit = (samples: SeriesSamples): Promise<void> | undefined => {
    const series = run.atOnce(samples, scratch);
    if (series !== 'later') {
      if (series !== undefined) take(series);
      return undefined;
    }
    return run.evaluate(samples).then((found) => {
      if (found !== undefined) take(found);
    });
  };
  const { columnTask: task } = run;
  const computed = (found: ComputedSeries): void => {
    const series = run.takeComputed(found);
    if (series !== undefined) take(series);
  };
  await scan(evaluation, selector, run.bounds, visit, task && { task, take: computed });
  return true;
}

/** Reads the selector's series, counts them, and lets others have their turn now and then. */
async function scan(
  evaluation: Evaluation,
  selector: VectorSelector,
  range: { readonly startMs: number; readonly endMs: number },
  visit: (samples: SeriesSamples) => Promise<void> | undefined,
  computed?: { readonly task: ColumnTask; readonly take: (series: ComputedSeries) => void },
): Promise<void> {
  const { source, budget, abort } = evaluation;
  if (source.scan === undefined) throw new Error('BUG: the source was seen to scan');
  const request = { matchers: selector.matchers, ...range };
  const pauseIfDue = () => (budget.isBreathDue() ? budget.breathe() : undefined);
  const countAndVisit = (found: SeriesSamples): Promise<void> | undefined => {
    const samples = countRead(evaluation, selector, found);
    const pause = visit(samples);
    if (pause !== undefined) return pause.then(() => budget.breathe());
    return pauseIfDue();
  };
  const columns = computed && {
    task: computed.task,
    visit: (series: ComputedSeries) => {
      budget.addSeries(series.sampleCount);
      computed.take(series);
      return pauseIfDue();
    },
  };
  await source.scan(request, countAndVisit, abort, columns);
}
