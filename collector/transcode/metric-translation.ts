/**
 * How OTLP metrics become Prometheus series: the `otlp` block of Prometheus's configuration, as plain data that a
 * worker thread gets when it starts.
 *
 *   { strategy: 'NoTranslation' }  ->  http.server.duration stays http.server.duration
 */
import { ConfigError } from '#model/errors.ts';

/** Prometheus's `otlp.translation_strategy`: are characters escaped, are unit and type appended to names. */
export const translationStrategies = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const;
export type TranslationStrategy = (typeof translationStrategies)[number];

/** Must survive a structured clone. */
export interface MetricTranslation {
  readonly strategy: TranslationStrategy;
  /** Resource attributes that become labels of every series of the resource. */
  readonly promotedAttributes: readonly string[];
  /** All resource attributes become labels, except `ignoredAttributes`. */
  readonly isEveryAttributePromoted: boolean;
  readonly ignoredAttributes: readonly string[];
  /** target_info has service.name, service.namespace and service.instance.id besides job and instance. */
  readonly keepsIdentifyingAttributes: boolean;
  /** The scope's name, version, schema URL and attributes become otel_scope_* labels. */
  readonly isScopePromoted: boolean;
  /** Escaped label names that begin with one underscore get `key` in front. */
  readonly isUnderscorePrefixed: boolean;
  /** Escaped label names keep several underscores in a row. */
  readonly keepsUnderscores: boolean;
  /** Explicit histograms become native ones with custom bounds, and no series of buckets, sum and count. */
  readonly convertsHistograms: boolean;
}

/** Prometheus's defaults, but for scopes: OpenTelemetry's specification wants them as labels. */
export const metricTranslationDefault: MetricTranslation = {
  strategy: 'UnderscoreEscapingWithSuffixes',
  promotedAttributes: [],
  isEveryAttributePromoted: false,
  ignoredAttributes: [],
  keepsIdentifyingAttributes: false,
  isScopePromoted: true,
  isUnderscorePrefixed: true,
  keepsUnderscores: true,
  convertsHistograms: false,
};

export function isEscaped(strategy: TranslationStrategy): boolean {
  return strategy.startsWith('UnderscoreEscaping');
}

export function hasSuffixes(strategy: TranslationStrategy): boolean {
  return strategy.endsWith('WithSuffixes');
}

/** Throws ConfigError on what Prometheus refuses: options that contradict each other, names that are empty or twice. */
export function checkMetricTranslation(translation: MetricTranslation): void {
  const { promotedAttributes, ignoredAttributes, isEveryAttributePromoted } = translation;
  const option = (name: string) => `collector.otlp.${name}`;
  if (isEveryAttributePromoted && promotedAttributes.length > 0) {
    throw new ConfigError(
      `${option('promote_all_resource_attributes')} promotes what ${option('promote_resource_attributes')} lists: set one of them`,
    );
  }
  if (!isEveryAttributePromoted && ignoredAttributes.length > 0) {
    throw new ConfigError(
      `${option('ignore_resource_attributes')} has no meaning unless ${option('promote_all_resource_attributes')} is true`,
    );
  }
  for (const [name, attributes] of [
    ['promote_resource_attributes', promotedAttributes],
    ['ignore_resource_attributes', ignoredAttributes],
  ] as const) {
    if (attributes.some((attribute) => attribute.trim() !== attribute || attribute === '')) {
      throw new ConfigError(
        `${option(name)} holds an attribute that is empty or begins or ends with a space`,
      );
    }
    const repeated = attributes.find((attribute, i) => attributes.indexOf(attribute) !== i);
    if (repeated !== undefined) throw new ConfigError(`${option(name)} holds ${repeated} twice`);
  }
}
