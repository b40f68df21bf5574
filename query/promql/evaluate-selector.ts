/** Instant selectors: at each step the newest sample within the lookback, unless it is a stale marker. */
import type { Evaluation } from './evaluation.ts';
import { fixedTimeMs } from './evaluation.ts';
import { statsOnly } from './histogram/reset-hints.ts';
import { kernelsOnly, plannedRead } from './plan/query-plan.ts';
import { streamPlannedSeries } from './pushed/planned-series.ts';
import { halves, isStale, type WindowEnds, windowEnds, withoutStale } from './sample-window.ts';
import { smoothedPerStep } from './smoothed-selector.ts';
import type { HistogramSamples, SeriesSamples } from './source.ts';
import { emptiedSeries, emptyMixedSeries, type StepGrid, type StepSeries, setValue } from './step-series.ts';
import type { MatrixSelector, VectorSelector } from './tree.ts';

/** Yields each series that has a value at some step. */
export async function* streamSelector(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  const read = plannedRead(evaluation.plan, selector, grid);
  if (read === undefined || read.path === 'kernel') {
    yield* streamNewest(evaluation, selector, grid, 'value');
    return;
  }
  const bySamples = { ...evaluation, plan: kernelsOnly(evaluation.plan), readsParts: true };
  yield* streamPlannedSeries(evaluation, read, (node, steps) =>
    streamNewest(bySamples, node as VectorSelector, steps, 'value'),
  );
}

/** As streamSelector, but the values are the samples' own times in seconds. */
export async function* streamTimestamps(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  yield* streamNewest(evaluation, selector, grid, 'time');
}

/** As streamSelector, but the values are when the samples' counters began, in seconds; 0 where nobody said. */
export async function* streamStartTimes(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  yield* streamNewest(evaluation, selector, grid, 'start_time');
}

/** What is read of the newest sample. */
type SamplePart = 'value' | 'time' | 'start_time';

async function* streamNewest(
  evaluation: Evaluation,
  selector: VectorSelector,
  grid: StepGrid,
  part: SamplePart,
): AsyncGenerator<StepSeries> {
  const { ends, range, isSmoothed } = selectorRange(evaluation, selector, grid);
  for await (const samples of readSeries(evaluation, selector, range)) {
    evaluation.budget.addSamples(grid.count);
    if (isSmoothed && part === 'value') {
      const smoothed = smoothedPerStep(evaluation, selector, withoutStale(samples), ends, grid.count);
      if (smoothed !== undefined) yield smoothed;
      continue;
    }
    const series = newestPerStep(samples, ends, grid.count, evaluation.lookbackMs, part);
    if (series !== undefined) yield series;
  }
}

/** Where a selector looks at each step, and what is to be read for it. */
export function selectorRange(evaluation: Evaluation, selector: VectorSelector, grid: StepGrid) {
  const ends = windowEnds(grid, selector.offsetMs, fixedTimeMs(evaluation, selector.at));
  const isSmoothed = selector.modifier === 'smoothed';
  const range = {
    startMs: ends.firstMs - evaluation.lookbackMs,
    endMs: ends.lastMs + (isSmoothed ? evaluation.lookbackMs : 0),
  };
  return { ends, range, isSmoothed };
}

/** Reads the selector's series from the source, and counts what is read. Times are left-open. */
export async function* readSeries(
  evaluation: Evaluation,
  selector: VectorSelector,
  range: { readonly startMs: number; readonly endMs: number },
): AsyncGenerator<SeriesSamples> {
  const { source, budget, abort, shared } = evaluation;
  const request = { matchers: selector.matchers, ...range };
  for await (const samples of shared.samples(request, () => source.select(request, abort))) {
    const counted = countRead(evaluation, selector, samples);
    await budget.breathe();
    yield counted;
  }
}

/** Counts a series that was read for a selector. Returns it with as much of its histograms as is asked for. */
export function countRead(
  { budget, statsOnlySelectors, readsParts }: Evaluation,
  selector: VectorSelector,
  samples: SeriesSamples,
): SeriesSamples {
  const { histograms } = samples;
  budget.addSeries(samples.values.length + histogramSamples(histograms), readsParts);
  if (histograms === undefined || !statsOnlySelectors.has(selector)) return samples;
  return { ...samples, histograms: { ...histograms, values: statsOnly(histograms.values) } };
}

/** How many plain samples' worth a series' histograms count for: its buckets, and a few for the rest of each. */
function histogramSamples(histograms: HistogramSamples | undefined): number {
  if (histograms === undefined) return 0;
  let count = 0;
  for (const { positive, negative } of histograms.values) {
    count += 4 + positive.counts.length + negative.counts.length;
  }
  return count;
}

/** `scratch` is overwritten and used where the series has numbers only. */
export function newestPerStep(
  samples: SeriesSamples,
  ends: WindowEnds,
  stepCount: number,
  lookbackMs: number,
  part: SamplePart,
  scratch?: StepSeries,
): StepSeries | undefined {
  const { timestamps, values, histograms } = samples;
  const words = halves(values);
  const isMixed = histograms !== undefined && part === 'value';
  const series = isMixed
    ? emptyMixedSeries(samples.labels, stepCount)
    : emptiedSeries(scratch, samples.labels, stepCount);
  const histogramTimes = histograms?.timestamps ?? noTimes;
  let hasValue = false;
  let next = 0;
  let nextHistogram = 0;
  for (let step = 0; step < stepCount; step++) {
    const endMs = ends.firstMs + step * ends.stepMs;
    while (next < timestamps.length && timestamps[next] <= endMs) next++;
    while (nextHistogram < histogramTimes.length && histogramTimes[nextHistogram] <= endMs) nextHistogram++;
    const timeMs = next === 0 ? -Infinity : timestamps[next - 1];
    const histogramMs = nextHistogram === 0 ? -Infinity : histogramTimes[nextHistogram - 1];
    const newestMs = Math.max(timeMs, histogramMs);
    if (newestMs <= endMs - lookbackMs) continue;
    if (histogramMs > timeMs) {
      const startMs = histograms!.startTimes?.[nextHistogram - 1] ?? 0;
      const histogram = histograms!.values[nextHistogram - 1];
      setValue(series, step, partOf(part, histogramMs, startMs, histogram));
    } else {
      if (isStale(words, next - 1)) continue;
      const startMs = samples.startTimes?.[next - 1] ?? 0;
      setValue(series, step, partOf(part, timeMs, startMs, values[next - 1]));
    }
    hasValue = true;
  }
  return hasValue ? series : undefined;
}

function partOf<Sample>(part: SamplePart, timeMs: number, startMs: number, value: Sample): Sample | number {
  if (part === 'value') return value;
  return (part === 'time' ? timeMs : startMs) / 1000;
}

const noTimes = new Float64Array();

/** The samples of a range selector at one time: what an instant query of `x[5m]` answers. */
export async function* streamRawSamples(
  evaluation: Evaluation,
  { selector, rangeMs }: MatrixSelector,
  timeMs: number,
): AsyncGenerator<SeriesSamples> {
  const endMs = (fixedTimeMs(evaluation, selector.at) ?? timeMs) - selector.offsetMs;
  for await (const samples of readSeries(evaluation, selector, { startMs: endMs - rangeMs, endMs })) {
    const kept = withoutStale(samples);
    if (kept.values.length > 0 || (kept.histograms?.values.length ?? 0) > 0) yield kept;
  }
}
