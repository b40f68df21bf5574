/**
 * Delta series on their way between the pipeline and a worker, as parallel arrays: a worker says whose totals a request
 * needs, is given them with the request, and answers what became of them. It keeps none.
 *
 * A native histogram and a number may be of the same series to Prometheus. Here they are two: the words of a histogram's
 * id are inverted.
 */

/** Whose totals a request of one tenant needs. */
export interface DeltaNeeds {
  /** Series ids, two words each: low, high. */
  readonly ids: Int32Array;
  /** 1 where the series is of native histograms. */
  readonly isHistogram: Uint8Array;
  /** Which of `metrics` each series is of. */
  readonly metricIndexes: Int32Array;
  /** When the interval of the series' first point began, in ms since 1970; 0 where the sender does not say. */
  readonly startMs: Float64Array;
  /** Time of the series' newest point. */
  readonly newestMs: Float64Array;
  /** When the oldest point's interval began: a total that was stored long before is of no use. */
  readonly oldestMs: number;
  /** Prometheus names. */
  readonly metrics: readonly string[];
}

export interface DeltaTotals {
  /** Series ids, two words each: low, high. */
  readonly ids: Int32Array;
  /** 1 where the series is of native histograms. */
  readonly isHistogram: Uint8Array;
  /** Of a histogram: where its total begins in `histograms`, from 1 on; 0 where it has none. */
  readonly totals: Float64Array;
  /** Totals of histograms one after another, as transcode/histogram-cells.ts lays them out. */
  readonly histograms: Float64Array;
  /** Time of the last point, in ms since 1970; -1 where the series is new, Infinity where its total is left out. */
  readonly lastMs: Float64Array;
  /** Since when the total counts; 0 where nobody said. */
  readonly startMs: Float64Array;
  /** Time of the newest point that comes: where it is the last one, all of them are repeats. */
  readonly newestMs: Float64Array;
}

/** Totals for the series of a request, as if all of them were new. */
export function newTotals({ ids, isHistogram, newestMs }: DeltaNeeds): DeltaTotals {
  const count = newestMs.length;
  return {
    ids,
    isHistogram,
    newestMs,
    totals: new Float64Array(count),
    histograms: new Float64Array(0),
    lastMs: new Float64Array(count).fill(-1),
    startMs: new Float64Array(count),
  };
}
