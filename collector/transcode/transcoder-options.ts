/** What a worker thread is started with: plain data that survives a structured clone. */
import { type MetricTranslation, metricTranslationDefault } from './metric-translation.ts';

export interface TranscoderOptions {
  readonly metrics: MetricTranslation;
}

export const transcoderOptionsDefault: TranscoderOptions = {
  metrics: metricTranslationDefault,
};
