/**
 * `log_metric`: counts records, or numbers in them, by labels. The records go on unchanged.
 *
 *   - log_metric: { name: http_errors_total, body: "status=5", labels: { namespace: { resource: k8s.namespace.name } } }
 *   - log_metric: { name: request_seconds, type: histogram, buckets: [0.1, 1], pattern: "in (?P<s>[0-9.]+)s", value: s }
 *
 * A counter with `value` adds the number of that group, else one for each record.
 */
import { z } from 'zod';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import type { LogResource } from '../../logs/resource/path-resource.ts';
import { findAttributeText } from '../attribute-fields.ts';
import { type ByteMatch, BytePattern } from '../byte-pattern.ts';
import { conditionFields, patternSchema, RecordCondition } from '../record-condition.ts';
import { type RecordProcessor, verdictKept } from '../record-pipeline.ts';
import {
  type Cell,
  cellKey,
  createCell,
  type MetricDescription,
  type MetricSeries,
} from './metric-series.ts';

const labelNameSchema = z
  .string()
  .regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/, 'expected a label name')
  .refine((name) => !['le', 'job', 'instance'].includes(name), 'le, job and instance are set by the agent');
const labelSchema = z.union([
  z.strictObject({ resource: z.string().min(1) }),
  z.strictObject({ group: z.string().min(1) }),
  z.strictObject({ attribute: z.string().min(1) }),
]);

export const logMetricSchema = z
  .strictObject({
    name: z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'expected a metric name'),
    help: z.string().max(1024).default(''),
    type: z.enum(['counter', 'histogram']).default('counter'),
    ...conditionFields,
    pattern: patternSchema.optional(),
    value: z.string().min(1).optional(),
    buckets: z.array(z.number()).min(1).max(64).optional(),
    labels: z.record(labelNameSchema, labelSchema).default({}),
    series_max: z.number().int().min(1).max(10_000).default(500),
  })
  .superRefine((options, context) => {
    const groups = options.pattern === undefined ? new Map() : new BytePattern(options.pattern).groups;
    const wanted = Object.entries(options.labels).flatMap(([label, from]) =>
      'group' in from ? [{ path: ['labels', label], group: from.group }] : [],
    );
    if (options.value !== undefined) wanted.push({ path: ['value'], group: options.value });
    for (const { path, group } of wanted) {
      if (!groups.has(group)) {
        context.addIssue({
          code: 'custom',
          path,
          message: `pattern has no group "${group}": (?P<${group}>...)`,
        });
      }
    }
    const isHistogram = options.type === 'histogram';
    if (isHistogram && (options.value === undefined || options.buckets === undefined)) {
      context.addIssue({ code: 'custom', path: ['buckets'], message: 'a histogram needs value and buckets' });
    }
    const isAscending = options.buckets?.every((bound, index, all) => index === 0 || bound > all[index - 1]!);
    if (isAscending === false)
      context.addIssue({ code: 'custom', path: ['buckets'], message: 'expected ascending bounds' });
  });
type LogMetricOptions = z.infer<typeof logMetricSchema>;

/** A longer value is cut: a label names a few things. */
const labelBytesMax = 256;

function describeMetric(options: LogMetricOptions): MetricDescription {
  const { name, help, type, buckets = [], labels, series_max } = options;
  return { name, help, type, buckets, labelNames: Object.keys(labels), seriesMax: series_max };
}

type LabelReader = (record: LogRecordFields, places: readonly ByteMatch[]) => string;

/** A metric's expressions, compiled once for all resources. */
export class LogMetricRule {
  readonly options: LogMetricOptions;
  readonly description: MetricDescription;
  readonly condition: RecordCondition;
  readonly pattern: BytePattern | undefined;
  readonly groups: ReadonlyMap<string, number>;

  constructor(options: LogMetricOptions) {
    const { body, severity, attributes, pattern } = options;
    this.options = options;
    this.description = describeMetric(options);
    this.condition = new RecordCondition({ body, severity, attributes });
    this.pattern = pattern === undefined ? undefined : new BytePattern(pattern);
    this.groups = this.pattern?.groups ?? new Map<string, number>();
  }
}

export class LogMetricProcessor implements RecordProcessor {
  readonly #description: MetricDescription;
  readonly #condition: RecordCondition;
  readonly #pattern: BytePattern | undefined;
  readonly #value: number | undefined;
  readonly #labels: readonly LabelReader[];
  readonly #series: MetricSeries;
  readonly #note: (what: string, count: number) => void;
  #counted = new Map<string, Cell>();
  #withoutNumber = 0;

  constructor(
    rule: LogMetricRule,
    resource: LogResource,
    series: MetricSeries,
    note: (what: string, count: number) => void,
  ) {
    const { options, groups } = rule;
    this.#description = rule.description;
    this.#condition = rule.condition;
    this.#pattern = rule.pattern;
    this.#value = options.value === undefined ? undefined : groups.get(options.value);
    this.#labels = Object.values(options.labels).map((from) => labelReader(from, resource, groups));
    this.#series = series;
    this.#note = note;
  }

  begin(): void {
    this.#counted = new Map();
    this.#withoutNumber = 0;
  }

  take(): (() => void) | undefined {
    const counted = this.#counted;
    const withoutNumber = this.#withoutNumber;
    if (counted.size + withoutNumber === 0) return undefined;
    return () => {
      const overflow = this.#series.add(this.#description.name, counted.values());
      if (overflow > 0) this.#note('series_max', overflow);
      if (withoutNumber > 0) this.#note('not_a_number', withoutNumber);
    };
  }

  process(record: LogRecordFields): number {
    if (!this.#condition.holds(record)) return verdictKept;
    if (this.#pattern === undefined) this.#count(record, []);
    else {
      this.#pattern.forEach(record.body, record.bodyFrom, record.bodyTo, (places) => {
        this.#count(record, places);
        return false;
      });
    }
    return verdictKept;
  }

  #count(record: LogRecordFields, places: readonly ByteMatch[]): void {
    const number = this.#number(record, places);
    const { type, buckets } = this.#description;
    // A counter only grows.
    if (!Number.isFinite(number) || (type === 'counter' && number < 0)) {
      this.#withoutNumber++;
      return;
    }
    const values = this.#labels.map((read) => read(record, places));
    const key = cellKey(values);
    let cell = this.#counted.get(key);
    if (cell === undefined) {
      cell = createCell(values, this.#description);
      this.#counted.set(key, cell);
    }
    cell.count++;
    cell.sum += number;
    if (type === 'counter') return;
    const bucket = buckets.findIndex((bound) => number <= bound);
    cell.inBucket[bucket === -1 ? buckets.length : bucket]++;
  }

  #number({ body }: LogRecordFields, places: readonly ByteMatch[]): number {
    if (this.#value === undefined) return 1;
    const place = places[this.#value]!;
    const text = place.from === -1 ? '' : body.bytes.toString('latin1', place.from, place.to);
    return text.trim() === '' ? Number.NaN : Number(text);
  }
}

function labelReader(
  from: LogMetricOptions['labels'][string],
  resource: LogResource,
  groups: ReadonlyMap<string, number>,
): LabelReader {
  if ('resource' in from) {
    const value = String(resource[from.resource] ?? '');
    return () => value;
  }
  if ('group' in from) {
    const group = groups.get(from.group)!;
    return ({ body }, places) => textOf(body.bytes, places[group]!);
  }
  const key = Buffer.from(from.attribute);
  return (record) => {
    const place = findAttributeText(record, key);
    return place === undefined ? '' : textOf(place.source.bytes, place);
  };
}

function textOf(bytes: Buffer, { from, to }: Readonly<ByteMatch>): string {
  return from === -1 ? '' : bytes.toString('utf8', from, Math.min(to, from + labelBytesMax));
}
