/**
 * What a load has written: printed at its end, kept in a file, and what a verification compares the store with.
 *
 *   {"version":1,"run":"ab12cd34","startedUnixMs":...,"senders":[{"name":"log-file-1","kind":"log_file","written":5000,...}]}
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { namePattern } from './numbered-line.ts';

export const senderKinds = ['log_file', 'otlp_logs', 'otlp_spans', 'samples'] as const;
export type SenderKind = (typeof senderKinds)[number];

const countSchema = z.int().min(0);

const lossSchema = z.strictObject({ records: countSchema, bytes: countSchema });

const senderSchema = z.strictObject({
  name: z.string().regex(namePattern),
  kind: z.enum(senderKinds),
  /** Where its records went: a path or a URL. */
  target: z.string(),
  /** Numbers 1 to this were handed over. */
  written: countSchema,
  /** Numbers 1 to this must be in the store; those above may be there or not. For a file, all that was written. */
  acknowledged: countSchema,
  /** Tries beyond the first of each request. */
  retries: countSchema,
  rotations: countSchema,
  /** Why the sender ended before its time; '' where it did not. */
  failure: z.string(),
});

const reportSchema = z.strictObject({
  version: z.literal(1),
  run: z.string().regex(namePattern),
  tenant: z.string(),
  startedUnixMs: countSchema,
  endedUnixMs: countSchema,
  /** Spans of each trace, but for the last. */
  spansPerTrace: countSchema.min(1),
  /** Series of each sender of samples. */
  seriesCount: countSchema.min(1),
  /** What the agent had counted as lost before the load, by reason; null where no agent was asked. */
  agentLost: z.record(z.string(), lossSchema).nullable(),
  senders: z.array(senderSchema),
});

export type SenderReport = Readonly<z.infer<typeof senderSchema>>;
export type RunReport = Readonly<z.infer<typeof reportSchema>>;

/** Whoever reads the file meanwhile sees the old one or the new one. */
export function writeRunReport(path: string, report: RunReport): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(report, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

/** Throws ConfigError where the file cannot be read or is no report, with the key that is wrong. */
export function readRunReport(path: string): RunReport {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`cannot read the report ${path}: ${errorMessage(error)}`, { cause: error });
  }
  const parsed = reportSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConfigError(
    `${path} is no report of sonde load: ${issue!.path.join('.') || 'the file'}: ${issue!.message}`,
  );
}
