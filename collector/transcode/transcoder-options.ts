/** What a worker thread is started with: plain data that survives a structured clone. */
import { type MetricTranslation, metricTranslationDefault } from './metric-translation.ts';
import type { PromotedField } from './promoted-fields.ts';
import { type SeriesLimits, seriesLimitsDefault } from './series-guard.ts';

export interface TranscoderOptions {
  readonly metrics: MetricTranslation;
  /** A delta series that was silent for longer starts anew from 0. */
  readonly deltaStaleMs: number;
  readonly seriesLimits: SeriesLimits;
  /** Fields of log bodies that become attributes. */
  readonly promotedFields: readonly PromotedField[];
}

export const transcoderOptionsDefault: TranscoderOptions = {
  metrics: metricTranslationDefault,
  deltaStaleMs: 3_600_000,
  seriesLimits: seriesLimitsDefault,
  promotedFields: [],
};
