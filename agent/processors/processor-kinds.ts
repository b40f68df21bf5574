/**
 * The processors by the names that configuration gives them: the schema of each one's options, and how it is made.
 */
import type { z } from 'zod';
import { ConfigError } from '#model/errors.ts';
import type { LogResource } from '../logs/resource/path-resource.ts';
import { AttributesProcessor, attributesSchema, editResource, editsRecords } from './attributes.ts';
import { DropProcessor, KeepProcessor } from './keep-drop.ts';
import { LogMetricProcessor, LogMetricRule, logMetricSchema } from './metrics/log-metric.ts';
import type { MetricSeries } from './metrics/metric-series.ts';
import { ParseProcessor, parseSchema } from './parse/parse.ts';
import { ruleSchema } from './record-condition.ts';
import type { RecordProcessor } from './record-pipeline.ts';
import { RedactProcessor, redactSchema } from './redact/redact.ts';
import { SampleProcessor, sampleSchema } from './sample.ts';
import { SeverityProcessor, severitySchema } from './severity-processor.ts';

/** What processors are made with, beside their options. */
export interface ProcessorContext {
  /** Counts what a processor noted: detectors that found something, bodies that were not parsed. */
  readonly note: (what: string, count: number) => void;
  /** Where a metric of logs is kept. */
  readonly metrics: MetricSeries;
}

/** A step as configured, for all resources. */
export interface ConfiguredStep {
  /** The processor for a resource; undefined where there is nothing to do for its records. */
  processorFor(resource: LogResource): RecordProcessor | undefined;
  /** The resource as this step leaves it. */
  resourceOf(resource: LogResource): LogResource;
  /** An error of this step must not let the record through as it was: it hides something. */
  readonly isFailClosed: boolean;
}

interface ProcessorKind {
  readonly schema: z.ZodType;
  readonly create: (options: never, context: ProcessorContext) => ConfiguredStep;
}

function kind<Options>(
  schema: z.ZodType<Options>,
  create: (options: Options, context: ProcessorContext) => ConfiguredStep,
): ProcessorKind {
  return { schema, create };
}

/** A step that does the same for records of all resources. */
function onRecords(processor: RecordProcessor, isFailClosed = false): ConfiguredStep {
  return { processorFor: () => processor, resourceOf: (resource) => resource, isFailClosed };
}

export const processorKinds = {
  keep: kind(ruleSchema, (rule) => onRecords(new KeepProcessor(rule))),
  drop: kind(ruleSchema, (rule) => onRecords(new DropProcessor(rule))),
  sample: kind(sampleSchema, (options) => onRecords(new SampleProcessor(options))),
  redact: kind(redactSchema, (options, { note }) => onRecords(new RedactProcessor(options, note), true)),
  severity: kind(severitySchema, (options) => onRecords(new SeverityProcessor(options))),
  parse: kind(parseSchema, (options, { note }) => onRecords(new ParseProcessor(options, note))),
  attributes: kind(attributesSchema, (options) => {
    const processor = editsRecords(options) ? new AttributesProcessor(options) : undefined;
    return {
      processorFor: () => processor,
      resourceOf: (resource) => editResource(options, resource),
      isFailClosed: false,
    };
  }),
  log_metric: kind(logMetricSchema, (options, { metrics, note }) => {
    const rule = new LogMetricRule(options);
    if (!metrics.declare(rule.description)) {
      throw new ConfigError(
        `another log_metric is named ${options.name}, and has other labels, buckets or help`,
      );
    }
    return {
      processorFor: (resource) => new LogMetricProcessor(rule, resource, metrics, note),
      resourceOf: (resource) => resource,
      isFailClosed: false,
    };
  }),
} as const satisfies Record<string, ProcessorKind>;

export type ProcessorName = keyof typeof processorKinds;
