/** What a worker thread is started with: plain data that survives a structured clone. */
import { type MetricTranslation, metricTranslationDefault } from './metric-translation.ts';
import { type SeriesLimits, seriesLimitsDefault } from './series-guard.ts';

export interface TranscoderOptions {
  readonly metrics: MetricTranslation;
  /** A delta series that was silent for longer starts anew from 0. */
  readonly deltaStaleMs: number;
  readonly seriesLimits: SeriesLimits;
}

export const transcoderOptionsDefault: TranscoderOptions = {
  metrics: metricTranslationDefault,
  deltaStaleMs: 3_600_000,
  seriesLimits: seriesLimitsDefault,
};
