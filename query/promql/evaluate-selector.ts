/** Instant selectors: at each step the newest sample within the lookback, unless it is a stale marker. */
import type { Evaluation } from './evaluation.ts';
import { fixedTimeMs } from './evaluation.ts';
import { halves, isStale, type WindowEnds, windowEnds, withoutStale } from './sample-window.ts';
import type { SampleRequest, SeriesSamples } from './source.ts';
import { emptySeries, type StepGrid, type StepSeries } from './step-series.ts';
import type { MatrixSelector, VectorSelector } from './tree.ts';

/** Yields each series that has a value at some step. */
export async function* streamSelector(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  yield* streamNewest(evaluation, selector, grid, newestValue);
}

/** As streamSelector, but the values are the samples' own times in seconds. */
export async function* streamTimestamps(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  yield* streamNewest(evaluation, selector, grid, newestTime);
}

const newestValue = (samples: SeriesSamples, index: number) => samples.values[index];
const newestTime = (samples: SeriesSamples, index: number) => samples.timestamps[index] / 1000;

async function* streamNewest(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
  read: (samples: SeriesSamples, index: number) => number,
): AsyncGenerator<StepSeries> {
  const ends = windowEnds(grid, selector.offsetMs, fixedTimeMs(evaluation, selector.at));
  const request = {
    matchers: selector.matchers,
    startMs: ends.firstMs - evaluation.lookbackMs,
    endMs: ends.lastMs,
  };
  for await (const samples of readSeries(evaluation, request)) {
    evaluation.budget.addSamples(grid.count);
    const series = newestPerStep(samples, ends, grid.count, evaluation.lookbackMs, read);
    if (series !== undefined) yield series;
  }
}

/** Reads from the source, and counts what is read. */
export async function* readSeries(
  evaluation: Evaluation,
  request: SampleRequest,
): AsyncGenerator<SeriesSamples> {
  const { source, budget, abort } = evaluation;
  for await (const samples of source.select(request, abort)) {
    budget.addSeries(samples.values.length);
    await budget.breathe();
    yield samples;
  }
}

function newestPerStep(
  samples: SeriesSamples,
  ends: WindowEnds,
  stepCount: number,
  lookbackMs: number,
  read: (samples: SeriesSamples, index: number) => number,
): StepSeries | undefined {
  const { timestamps, values } = samples;
  const words = halves(values);
  const series = emptySeries(samples.labels, stepCount);
  let hasValue = false;
  let next = 0;
  for (let step = 0; step < stepCount; step++) {
    const endMs = ends.firstMs + step * ends.stepMs;
    while (next < timestamps.length && timestamps[next] <= endMs) next++;
    const newest = next - 1;
    if (newest < 0 || timestamps[newest] <= endMs - lookbackMs || isStale(words, newest)) continue;
    series.values[step] = read(samples, newest);
    series.present[step] = 1;
    hasValue = true;
  }
  return hasValue ? series : undefined;
}

/** The samples of a range selector at one time: what an instant query of `x[5m]` answers. */
export async function* streamRawSamples(
  evaluation: Evaluation,
  { selector, rangeMs }: MatrixSelector,
  timeMs: number,
): AsyncGenerator<SeriesSamples> {
  const endMs = (fixedTimeMs(evaluation, selector.at) ?? timeMs) - selector.offsetMs;
  const request = { matchers: selector.matchers, startMs: endMs - rangeMs, endMs };
  for await (const samples of readSeries(evaluation, request)) {
    const kept = withoutStale(samples);
    if (kept.values.length > 0) yield kept;
  }
}
