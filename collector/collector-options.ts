/** How the collector turns requests into rows. */
import { z } from 'zod';
import { countSchema, type OptionValues, option } from '#model/config/option.ts';
import { deltaSeriesMaxDefault } from './delta-memory.ts';
import { samplingOptions } from './sampling/sampling-options.ts';
import {
  checkMetricTranslation,
  metricTranslationDefault,
  type TranslationStrategy,
  translationStrategies,
} from './transcode/metric-translation.ts';
import { parsePromotedFields } from './transcode/promoted-fields.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcode/transcoder-options.ts';

export const collectorOptions = {
  workers: option(
    z.number().int().min(0).max(256),
    0,
    'Threads that transcode; one feeds about four cores of ClickHouse. 0: one per four cores.',
  ),
  block_rows_max: option(
    z.number().int().min(1).max(1_000_000),
    250_000,
    'Pushed requests are gathered into blocks of so many rows before they are inserted; of samples, four times as many.',
  ),
  block_age_ms_max: option(
    z.number().int().min(0).max(60_000),
    1000,
    'How long the first request of a block waits for others, and what came from a Kafka partition for more. Requests are answered when their block is stored.',
  ),
  tenant_series_max: option(
    z.number().int().min(0),
    transcoderOptionsDefault.seriesLimits.tenantSeriesMax,
    'Active series of a tenant, those with samples in these two hours: new ones are refused above. 0: no limit.',
  ),
  metric_series_max: option(
    z.number().int().min(0),
    transcoderOptionsDefault.seriesLimits.metricSeriesMax,
    'Active series of one metric of a tenant; the refusal names the label with the most values. 0: no limit.',
  ),
  'logs.promote_body_fields': option(
    z.array(z.string()),
    [],
    'Fields of JSON and logfmt bodies that become log attributes, unless the record has them: `field` or `field=attribute`, nested ones with dots.',
  ),
  'otlp.translation_strategy': option<TranslationStrategy>(
    z.enum(translationStrategies),
    metricTranslationDefault.strategy,
    'How OTLP metric names and attributes become Prometheus names, as the option of that name in Prometheus.',
  ),
  'otlp.promote_resource_attributes': option(
    z.array(z.string()),
    [],
    'Resource attributes that become labels of every series of the resource.',
  ),
  'otlp.promote_all_resource_attributes': option(
    z.boolean(),
    false,
    'All resource attributes become labels, except otlp.ignore_resource_attributes.',
  ),
  'otlp.ignore_resource_attributes': option(
    z.array(z.string()),
    [],
    'Resource attributes that otlp.promote_all_resource_attributes leaves out.',
  ),
  'otlp.keep_identifying_resource_attributes': option(
    z.boolean(),
    false,
    'target_info keeps service.name, service.namespace and service.instance.id besides job and instance.',
  ),
  'otlp.promote_scope_metadata': option(
    z.boolean(),
    true,
    "The scope's name, version, schema URL and attributes become otel_scope_* labels.",
  ),
  'otlp.label_name_underscore_sanitization': option(
    z.boolean(),
    true,
    'Escaped label names that begin with one underscore get `key` in front.',
  ),
  'otlp.label_name_preserve_multiple_underscores': option(
    z.boolean(),
    true,
    'Escaped label names keep several underscores in a row.',
  ),
  'otlp.convert_histograms_to_nhcb': option(
    z.boolean(),
    false,
    'Explicit histograms become native ones with custom buckets, without series of buckets, sum and count.',
  ),
  'otlp.delta_series_max': option(
    countSchema,
    deltaSeriesMaxDefault,
    'Delta series whose totals are held in memory; those of others are read back from the store.',
  ),
  'otlp.delta_stale_ms': option(
    countSchema,
    transcoderOptionsDefault.deltaStaleMs,
    'A delta series that was silent for longer starts anew from 0, as if its process had restarted.',
  ),
  ...samplingOptions,
};

/** What the transcoding threads are started with. Throws ConfigError where options contradict each other. */
export function transcoderOptions(options: OptionValues<typeof collectorOptions>): TranscoderOptions {
  const metrics = {
    strategy: options['otlp.translation_strategy'],
    promotedAttributes: options['otlp.promote_resource_attributes'],
    isEveryAttributePromoted: options['otlp.promote_all_resource_attributes'],
    ignoredAttributes: options['otlp.ignore_resource_attributes'],
    keepsIdentifyingAttributes: options['otlp.keep_identifying_resource_attributes'],
    isScopePromoted: options['otlp.promote_scope_metadata'],
    isUnderscorePrefixed: options['otlp.label_name_underscore_sanitization'],
    keepsUnderscores: options['otlp.label_name_preserve_multiple_underscores'],
    convertsHistograms: options['otlp.convert_histograms_to_nhcb'],
  };
  checkMetricTranslation(metrics);
  const seriesLimits = {
    tenantSeriesMax: options.tenant_series_max,
    metricSeriesMax: options.metric_series_max,
  };
  return {
    metrics,
    deltaStaleMs: options['otlp.delta_stale_ms'],
    seriesLimits,
    promotedFields: parsePromotedFields(options['logs.promote_body_fields']),
  };
}
