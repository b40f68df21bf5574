/**
 * `agent.logs.processors`: a list of steps, each with one key that names the processor, and `when` it applies.
 *
 *   agent:
 *     logs:
 *       processors:
 *         - drop: { body: "GET /healthz" }
 *           when: { k8s.namespace.name: shop }
 *         - module: ./my-processor.ts
 *           options: { team: shop }
 */
import { z } from 'zod';
import { nearest } from '#model/config/nearest.ts';
import { countSchema, option } from '#model/config/option.ts';
import { type ProcessorName, processorKinds } from './processor-kinds.ts';
import { type When, whenSchema } from './when.ts';

/** More steps than this are no configuration that somebody wrote. */
const entriesMax = 200;

const moduleSchema = z.strictObject({
  module: z.string().min(1, 'expected the path of a module'),
  options: z.unknown().optional(),
  timeout_ms: countSchema.max(60_000).default(1000),
  memory_mb: countSchema.max(4096).default(128),
  on_error: z.enum(['pass', 'drop']).default('pass'),
  when: whenSchema.optional(),
});
export type ModuleEntry = z.infer<typeof moduleSchema>;

/** A step of a built-in processor, its options checked and completed. */
export interface BuiltinEntry {
  readonly name: ProcessorName;
  readonly options: unknown;
  readonly when: When | undefined;
}

const names = [...Object.keys(processorKinds), 'module'];

/** Checks one entry. Problems go to `problem`, with the path within the entry; undefined where there are any. */
function readEntry(
  entry: unknown,
  problem: (path: readonly PropertyKey[], message: string) => void,
): BuiltinEntry | ModuleEntry | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    problem([], `expected one of ${names.join(', ')} with its options`);
    return undefined;
  }
  if ('module' in entry) return readWith(moduleSchema, entry, [], problem);
  const { when, ...rest } = entry as Record<string, unknown>;
  const [name, ...others] = Object.keys(rest);
  if (name === undefined || others.length > 0) {
    problem(
      [],
      `expected one processor (${names.join(', ')}), and when: got ${name ? Object.keys(rest).join(', ') : 'none'}`,
    );
    return undefined;
  }
  if (!Object.hasOwn(processorKinds, name)) {
    const best = nearest(name, names);
    problem(
      [name],
      `no processor of that name${best ? `, did you mean "${best}"?` : `: expected one of ${names.join(', ')}`}`,
    );
    return undefined;
  }
  const { schema } = processorKinds[name as ProcessorName];
  const options = readWith(schema, rest[name] ?? {}, [name], problem);
  const checked =
    when === undefined ? { when } : readWith(z.strictObject({ when: whenSchema }), { when }, [], problem);
  if (options === undefined || checked === undefined) return undefined;
  return { name: name as ProcessorName, options, when: checked.when };
}

function readWith<Value>(
  schema: z.ZodType<Value>,
  value: unknown,
  path: readonly PropertyKey[],
  problem: (path: readonly PropertyKey[], message: string) => void,
): Value | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) problem([...path, ...issue.path], issue.message);
  return undefined;
}

/** Modules see what the other processors have left, so they come last: what they do happens to batches, not to records. */
const processorsSchema = z
  .array(z.unknown())
  .max(entriesMax)
  .transform((entries, context) => {
    const read: (BuiltinEntry | ModuleEntry)[] = [];
    for (const [index, entry] of entries.entries()) {
      const problem = (path: readonly PropertyKey[], message: string): void =>
        context.addIssue({ code: 'custom', path: [index, ...path], message });
      const step = readEntry(entry, problem);
      if (step === undefined) continue;
      if (!('module' in step) && read.some((before) => 'module' in before)) {
        problem([], `${step.name} stands behind a module: move modules to the end of the list`);
      }
      read.push(step);
    }
    return read as readonly (BuiltinEntry | ModuleEntry)[];
  });

export const processorsOptions = {
  'logs.processors': option(
    processorsSchema as z.ZodType<readonly (BuiltinEntry | ModuleEntry)[]>,
    [],
    'Steps that each log record goes through before it is sent: see docs/agent/processors.md.',
  ),
  'logs.metrics_interval_ms': option(
    countSchema,
    15_000,
    'How often metrics that are made of log records are sent.',
  ),
};
