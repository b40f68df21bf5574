/** What one query may use. Every error names its limit and the option that raises it. */
import { setImmediate } from 'node:timers/promises';
import { LimitError } from '#model/errors.ts';
import type { SampleStats } from './query-result.ts';

export interface PromqlLimits {
  /** Series that one query reads, over all its selectors. */
  readonly seriesMax: number;
  /** Samples that one query reads, plus values that it computes. */
  readonly samplesMax: number;
  /** Steps of a range query. */
  readonly stepsMax: number;
  readonly timeoutMs: number;
  /** Queries that run at once; others wait, within their time. */
  readonly concurrency: number;
}

export const promqlLimitsDefault: PromqlLimits = {
  seriesMax: 500_000,
  samplesMax: 50_000_000,
  // Prometheus's bound: enough for 60 s resolution over a week.
  stepsMax: 11_000,
  timeoutMs: 120_000,
  concurrency: 20,
};

/** So many series are worked on between two looks at the abort signal. */
const seriesPerBreath = 128;
/** And so many samples of windows: some ten milliseconds of work. Windows overlap, so a single series can be hours. */
const windowSamplesPerBreath = 200_000;

export class QueryBudget {
  readonly #limits: PromqlLimits;
  readonly #abort: AbortSignal;
  #seriesCount = 0;
  #sampleCount = 0;
  #readCount = 0;
  #queryableCount = 0;
  #seriesSinceBreath = 0;
  #windowSamplesSinceBreath = 0;

  constructor(limits: PromqlLimits, abort: AbortSignal) {
    this.#limits = limits;
    this.#abort = abort;
  }

  /** Counts a series that was read, or a part of one that is counted elsewhere. */
  addSeries(sampleCount: number, isPart = false): void {
    const { seriesMax } = this.#limits;
    if (!isPart && ++this.#seriesCount > seriesMax) {
      throw new LimitError(`the query reads more than ${seriesMax} series`, 'query.series_max');
    }
    this.#readCount += sampleCount;
    this.addSamples(sampleCount);
  }

  /** Counts the steps at which a selector has a value: `present` is 1 there. For the statistics alone. */
  addPicked(present: Uint8Array): void {
    let count = 0;
    for (let step = 0; step < present.length; step++) count += present[step];
    this.#queryableCount += count;
  }

  get stats(): SampleStats {
    return {
      queryable: this.#queryableCount,
      read: this.#readCount,
      series: this.#seriesCount,
      peak: this.#sampleCount,
    };
  }

  /** Counts samples read or values computed. Must be asked before memory for them is taken. */
  addSamples(count: number): void {
    const { samplesMax } = this.#limits;
    this.#sampleCount += count;
    if (this.#sampleCount > samplesMax) {
      throw new LimitError(
        `the query reads or computes more than ${samplesMax} samples`,
        'query.samples_max',
      );
    }
  }

  /** Counts the samples of a window before it is worked on. Returns true when it is time to breathe(). */
  addWindow(sampleCount: number): boolean {
    return this.addWindows(sampleCount, sampleCount);
  }

  /** The same for all windows of a series, whose samples are looked at less often than windows hold them. */
  addWindows(sampleCount: number, looksAt: number): boolean {
    this.#windowSamplesSinceBreath += looksAt;
    this.#queryableCount += sampleCount;
    return this.#windowSamplesSinceBreath >= windowSamplesPerBreath;
  }

  /** Counts a series, and returns true when it is time to breathe(): for those who would rather not wait for each. */
  isBreathDue(): boolean {
    this.#seriesSinceBreath++;
    return (
      this.#seriesSinceBreath >= seriesPerBreath || this.#windowSamplesSinceBreath >= windowSamplesPerBreath
    );
  }

  /** Lets timers, sockets and other queries have their turn now and then; throws where the query was given up. */
  async breathe(): Promise<void> {
    const isFresh = this.#windowSamplesSinceBreath < windowSamplesPerBreath;
    if (++this.#seriesSinceBreath < seriesPerBreath && isFresh) return;
    this.#seriesSinceBreath = 0;
    this.#windowSamplesSinceBreath = 0;
    await setImmediate();
    this.#abort.throwIfAborted();
  }
}
