/**
 * The policies of tail sampling as configuration writes them: a list under the names of the OpenTelemetry Collector's
 * tail_sampling processor.
 *
 *   - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
 *   - { name: slow, type: latency, latency: { threshold_ms: 2000 } }
 *   - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 5 } }
 *
 * What that processor has and this does not is refused by its name, with what to use instead.
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { nearest } from '#model/config/nearest.ts';

/** More of them in one list are no configuration that somebody wrote; verdicts are 16-bit numbers. */
const policiesMax = 100;
/** Policies within policies. */
const depthMax = 5;
const patternCharsMax = 4096;

const keySchema = z.string().min(1).max(1000);
/** Which attributes are looked at; absent: both. */
const placeSchema = z.enum(['span', 'resource']).optional();
const positiveSchema = z.number().positive();
const notInvertMatch = z
  .never({ error: 'invert_match is not supported: put the policy into one of type not' })
  .optional();

const stringSchema = z
  .strictObject({
    key: keySchema,
    values: z.array(z.string().max(patternCharsMax)).min(1).max(1000),
    enabled_regex_matching: z.boolean().default(false),
    in: placeSchema,
    invert_match: notInvertMatch,
  })
  .superRefine(({ values, enabled_regex_matching }, context) => {
    if (!enabled_regex_matching) return;
    for (const [index, value] of values.entries()) {
      try {
        RE2JS.compile(value);
      } catch (error) {
        const message = `not an RE2 expression: ${(error as Error).message}`;
        context.addIssue({ code: 'custom', path: ['values', index], message });
      }
    }
  });

const numericSchema = z
  .strictObject({
    key: keySchema,
    min_value: z.number().optional(),
    max_value: z.number().optional(),
    in: placeSchema,
    invert_match: notInvertMatch,
  })
  .refine(({ min_value, max_value }) => min_value !== undefined || max_value !== undefined, {
    message: 'expected min_value, max_value or both',
  })
  .refine(({ min_value = -Infinity, max_value = Infinity }) => min_value <= max_value, {
    message: 'min_value is above max_value',
    path: ['min_value'],
  });

const latencySchema = z
  .strictObject({
    threshold_ms: z.number().min(0),
    upper_threshold_ms: positiveSchema.optional(),
    of: z.enum(['trace', 'root']).default('trace'),
  })
  .refine(({ threshold_ms, upper_threshold_ms = Infinity }) => threshold_ms < upper_threshold_ms, {
    message: 'is not above threshold_ms',
    path: ['upper_threshold_ms'],
  });

const spanCountSchema = z
  .strictObject({
    min_spans: z.number().int().min(1).default(1),
    max_spans: z.number().int().min(1).optional(),
  })
  .refine(({ min_spans, max_spans = Infinity }) => min_spans <= max_spans, {
    message: 'is below min_spans',
    path: ['max_spans'],
  });

const rateSchema = z
  .strictObject({ spans_per_second: positiveSchema.optional(), traces_per_second: positiveSchema.optional() })
  .refine(
    ({ spans_per_second, traces_per_second }) =>
      (spans_per_second === undefined) !== (traces_per_second === undefined),
    { message: 'expected spans_per_second or traces_per_second' },
  );

const percentSchema = z.number().min(0).max(100);
const leaves = {
  always_sample: z.strictObject({}).default({}),
  status_code: z.strictObject({ status_codes: z.array(z.enum(['UNSET', 'OK', 'ERROR'])).min(1) }),
  latency: latencySchema,
  string_attribute: stringSchema,
  numeric_attribute: numericSchema,
  boolean_attribute: z.strictObject({
    key: keySchema,
    value: z.boolean(),
    in: placeSchema,
    invert_match: notInvertMatch,
  }),
  span_count: spanCountSchema,
  probabilistic: z.strictObject({
    sampling_percentage: percentSchema,
    hash_salt: z
      .never({
        error:
          'hash_salt is not supported: the trace id itself is the randomness, so that th values stay consistent',
      })
      .optional(),
  }),
  rate_limiting: rateSchema,
} as const;
type LeafType = keyof typeof leaves;

/** A policy of one condition, under its type, with the options of that type. */
export type LeafPolicy = {
  readonly [Type in LeafType]: {
    readonly name: string;
    readonly type: Type;
    readonly options: z.infer<(typeof leaves)[Type]>;
  };
}[LeafType];

export type Policy =
  | LeafPolicy
  /** `not` and `drop` hold where all of `policies` do, turned round for `not`. */
  | { readonly name: string; readonly type: 'and' | 'not' | 'drop'; readonly policies: readonly Policy[] }
  | {
      readonly name: string;
      readonly type: 'composite';
      readonly spansPerSecond: number;
      readonly shares: readonly CompositeShare[];
    };

/** A policy of a composite, in its order, and what of the total it may take: 0 to 1. */
export interface CompositeShare {
  readonly policy: Policy;
  readonly share: number;
}

const groupKeys = { and: 'and_sub_policy', not: 'not_sub_policy', drop: 'drop_sub_policy' } as const;
const types = [...Object.keys(leaves), ...Object.keys(groupKeys), 'composite'];
const refusedTypes: Readonly<Record<string, string>> = {
  ottl_condition: 'use string_attribute, numeric_attribute, boolean_attribute and status_code',
  bytes_limiting: 'use rate_limiting with spans_per_second',
  trace_state: 'use string_attribute',
  trace_flags: 'it says what the SDK has kept, which is all that comes here',
};

type Problem = (path: readonly PropertyKey[], message: string) => void;

/** A list of policies: read, completed, and checked as a whole. */
export const policiesSchema = z
  .array(z.unknown())
  .max(policiesMax)
  .transform((entries, context): readonly Policy[] =>
    readPolicies(entries, [], 0, (path, message) =>
      context.addIssue({ code: 'custom', path: [...path], message }),
    ),
  );

function readPolicies(
  entries: readonly unknown[],
  path: readonly PropertyKey[],
  depth: number,
  problem: Problem,
): Policy[] {
  const read: Policy[] = [];
  const names = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const policy = readPolicy(entry, [...path, index], depth, problem);
    if (policy === undefined) continue;
    if (names.has(policy.name))
      problem([...path, index, 'name'], `another policy has the name ${policy.name}`);
    names.add(policy.name);
    read.push(policy);
  }
  return read;
}

const entrySchema = z.looseObject({ name: z.string().min(1).max(100), type: z.string() });

function readPolicy(
  entry: unknown,
  path: readonly PropertyKey[],
  depth: number,
  problem: Problem,
): Policy | undefined {
  const head = readWith(entrySchema, entry, path, problem);
  if (head === undefined) return undefined;
  const { name, type, ...rest } = head;
  if (!types.includes(type)) {
    const instead = refusedTypes[type];
    const best = nearest(type, types);
    const hint = best === undefined ? `expected one of ${types.join(', ')}` : `did you mean "${best}"?`;
    problem([...path, 'type'], `no policy type ${JSON.stringify(type)} here: ${instead ?? hint}`);
    return undefined;
  }
  for (const key of Object.keys(rest)) {
    if (key !== type) problem([...path, key], `unknown key: the options of this policy stand under ${type}`);
  }
  if (depth >= depthMax) {
    problem(path, `policies are nested deeper than ${depthMax}`);
    return undefined;
  }
  const inside = [...path, type];
  if (type === 'composite') return readComposite(name, rest[type], inside, depth, problem);
  if (type in groupKeys)
    return readGroup(name, type as keyof typeof groupKeys, rest[type], inside, depth, problem);
  const options = readWith(leaves[type as LeafType] as z.ZodType, rest[type], inside, problem);
  return options === undefined ? undefined : ({ name, type, options } as LeafPolicy);
}

function readGroup(
  name: string,
  type: keyof typeof groupKeys,
  value: unknown,
  path: readonly PropertyKey[],
  depth: number,
  problem: Problem,
): Policy | undefined {
  const key = groupKeys[type];
  const parsed = readWith(
    z.strictObject({ [key]: z.array(z.unknown()).min(1).max(policiesMax) }),
    value,
    path,
    problem,
  );
  if (parsed === undefined) return undefined;
  const policies = readPolicies(parsed[key]!, [...path, key], depth + 1, problem);
  for (const [index, policy] of policies.entries()) {
    const where = [...path, key, index, 'type'];
    if (policy.type === 'drop' || policy.type === 'composite') {
      problem(where, `${policy.type} stands at the top of a list only`);
    } else if (type !== 'and' && isByChance(policy)) {
      problem(where, `${type} takes conditions on what is in a trace: ${policy.type} is chance or rate`);
    }
  }
  return { name, type, policies };
}

/** Whether what the policy keeps is not said by the content of a trace alone. */
function isByChance(policy: Policy): boolean {
  if (policy.type === 'probabilistic' || policy.type === 'rate_limiting' || policy.type === 'composite')
    return true;
  return 'policies' in policy && policy.policies.some(isByChance);
}

const compositeSchema = z.strictObject({
  max_total_spans_per_second: positiveSchema,
  policy_order: z.array(z.string()).min(1).max(policiesMax),
  composite_sub_policy: z.array(z.unknown()).min(1).max(policiesMax),
  rate_allocation: z
    .array(z.strictObject({ policy: z.string(), percent: percentSchema }))
    .max(policiesMax)
    .default([]),
});

function readComposite(
  name: string,
  value: unknown,
  path: readonly PropertyKey[],
  depth: number,
  problem: Problem,
): Policy | undefined {
  const parsed = readWith(compositeSchema, value, path, problem);
  if (parsed === undefined) return undefined;
  const subPath = [...path, 'composite_sub_policy'];
  const policies = readPolicies(parsed.composite_sub_policy, subPath, depth + 1, problem);
  for (const [index, policy] of policies.entries()) {
    if (policy.type === 'drop' || policy.type === 'composite')
      problem([...subPath, index, 'type'], `${policy.type} stands at the top of a list only`);
  }
  const known = new Map(policies.map((policy) => [policy.name, policy]));
  const percents = new Map<string, number>();
  for (const [index, { policy, percent }] of parsed.rate_allocation.entries()) {
    if (!known.has(policy)) problem([...path, 'rate_allocation', index, 'policy'], `no sub policy ${policy}`);
    percents.set(policy, percent);
  }
  const total = [...percents.values()].reduce((sum, percent) => sum + percent, 0);
  if (total > 100)
    problem([...path, 'rate_allocation'], `the percents add up to ${total}, which is over 100`);
  // Those without a share of their own have what is left, in equal parts.
  const ownless = parsed.policy_order.filter((policy) => !percents.has(policy)).length;
  const shares: CompositeShare[] = [];
  for (const [index, policyName] of parsed.policy_order.entries()) {
    const policy = known.get(policyName);
    if (policy === undefined) problem([...path, 'policy_order', index], `no sub policy ${policyName}`);
    else shares.push({ policy, share: (percents.get(policyName) ?? (100 - total) / ownless) / 100 });
  }
  for (const { name: subName } of policies) {
    if (!parsed.policy_order.includes(subName)) problem([...path, 'policy_order'], `${subName} is missing`);
  }
  return { name, type: 'composite', spansPerSecond: parsed.max_total_spans_per_second, shares };
}

function readWith<Value>(
  schema: z.ZodType<Value>,
  value: unknown,
  path: readonly PropertyKey[],
  problem: Problem,
): Value | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) problem([...path, ...issue.path], issue.message);
  return undefined;
}
