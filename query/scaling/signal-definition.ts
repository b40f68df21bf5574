/**
 * A scaling signal as it is defined by API: JSON -> checked definition, or every mistake by name.
 *
 *   { "query": "sum(rate(requests_total[1m]))", "target": { "type": "average_value", "value": 100 }, "max_replicas": 20 }
 */
import { z } from 'zod';
import { RefusedError } from '#model/errors.ts';
import { ParseError } from '../language/parse-error.ts';

/** A statement with its parameters may have 256 KiB, and escapes and hex digits take up to four times the bytes. */
export const definitionBytesMax = 32 * 1024;
export const signalNamePattern = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;
const replicasMax = 100_000;

/** Kubernetes's own bounds of the behaviour fields (autoscaling/v2). */
const policyShape = z.strictObject({
  type: z.enum(['pods', 'percent']),
  value: z.int().min(1).max(replicasMax),
  period_seconds: z.int().min(1).max(1800),
});

const rulesShape = (windowSeconds: number, policies: z.infer<typeof policyShape>[]) =>
  z.strictObject({
    stabilization_window_seconds: z.int().min(0).max(3600).default(windowSeconds),
    select_policy: z.enum(['max', 'min', 'disabled']).default('max'),
    policies: z.array(policyShape).min(1).max(10).default(policies),
  });

/** The defaults are those of the Kubernetes horizontal pod autoscaler. */
const scaleUpShape = rulesShape(0, [
  { type: 'pods', value: 4, period_seconds: 15 },
  { type: 'percent', value: 100, period_seconds: 15 },
]);
const scaleDownShape = rulesShape(300, [{ type: 'percent', value: 100, period_seconds: 15 }]);

const definitionShape = z
  .strictObject({
    name: z.string().optional(),
    query: z.string().min(1).max(16_384),
    language: z.literal('promql').default('promql'),
    target: z.strictObject({
      type: z.enum(['value', 'average_value', 'utilization']),
      value: z.number().positive(),
    }),
    min_replicas: z.int().min(0).max(replicasMax).default(1),
    max_replicas: z.int().min(1).max(replicasMax),
    /** The workload is active while the value is above. */
    activation_threshold: z.number().default(0),
    missing_data: z.enum(['hold', 'fail', 'zero']).default('hold'),
    interval_ms: z.int().min(1000).max(3_600_000).default(15_000),
    /** A ratio of value to target within 1 +- tolerance changes nothing. */
    tolerance: z.number().min(0).max(1).default(0.1),
    behavior: z
      .strictObject({
        scale_up: scaleUpShape.prefault({}),
        scale_down: scaleDownShape.prefault({}),
      })
      .prefault({}),
  })
  .refine((definition) => definition.min_replicas <= definition.max_replicas, {
    path: ['min_replicas'],
    error: 'must not be above max_replicas',
  });

export type SignalDefinition = Omit<z.infer<typeof definitionShape>, 'name'> & { readonly name: string };
export type ScalingRules = SignalDefinition['behavior']['scale_up'];

/** What a definition may hold one day; refused by name until it works. */
const keysLater = new Set(['queries', 'schedule', 'forecast', 'level']);

/** Returns the definition with its defaults filled in. Throws RefusedError (400) that lists the mistakes. */
export function parseSignalDefinition(
  name: string,
  input: unknown,
  validateQuery: (query: string) => void,
): SignalDefinition {
  if (!signalNamePattern.test(name)) {
    throw new RefusedError(
      `the name ${JSON.stringify(name.slice(0, 200))} is not allowed: 1 to 128 letters, digits, dots, dashes and underscores`,
    );
  }
  const parsed = definitionShape.safeParse(input);
  if (!parsed.success) {
    throw new RefusedError(`signal "${name}": ${parsed.error.issues.map(mistakeText).join('; ')}`);
  }
  const definition = { ...parsed.data, name };
  if (parsed.data.name !== undefined && parsed.data.name !== name) {
    throw new RefusedError(
      `the name in the body is ${JSON.stringify(parsed.data.name)}, in the path "${name}"`,
    );
  }
  try {
    validateQuery(definition.query);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new RefusedError(`signal "${name}": query: ${error.message}`, 400, { cause: error });
  }
  return definition;
}

function mistakeText(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key)).join('; ');
  if (path === 'language') return 'language: only "promql" is supported yet';
  return path === '' ? issue.message : `${path}: ${issue.message.replace(/^Invalid input: /, '')}`;
}

function unknownKey(path: string, key: string): string {
  if (path === '' && keysLater.has(key)) return `"${key}" is not supported yet`;
  return `unknown key "${path === '' ? key : `${path}.${key}`}"`;
}
