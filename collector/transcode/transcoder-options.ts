/** What a worker thread is started with: plain data that survives a structured clone. */
import { type MetricTranslation, metricTranslationDefault } from './metric-translation.ts';

export interface TranscoderOptions {
  readonly metrics: MetricTranslation;
  /** A delta series that was silent for longer starts anew from 0. */
  readonly deltaStaleMs: number;
}

export const transcoderOptionsDefault: TranscoderOptions = {
  metrics: metricTranslationDefault,
  deltaStaleMs: 3_600_000,
};
