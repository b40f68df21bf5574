/**
 * Configuration as tables: each role lists its options once, and the YAML keys, the environment names, the
 * `--print-config` output and docs/configuration.md all come from that list.
 *
 *   { 'logs.globs': option(z.array(z.string()), [], 'Files to tail.') } in section `agent`
 *   ->  YAML agent.logs.globs, environment SONDE_AGENT_LOGS_GLOBS, typed options['logs.globs']
 */
import { z } from 'zod';

export interface Option<Value> {
  readonly schema: z.ZodType<Value>;
  readonly default: Value;
  /** One sentence for the reference page; units are in the key. */
  readonly why: string;
  /** Never printed. */
  readonly isSecret: boolean;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer Value> ? Value : never;
};

export function option<Value>(schema: z.ZodType<Value>, value: Value, why: string): Option<Value> {
  return { schema, default: value, why, isSecret: false };
}

export function secretOption<Value>(schema: z.ZodType<Value>, value: Value, why: string): Option<Value> {
  return { schema, default: value, why, isSecret: true };
}

/** The environment variable of an option: `agent` + `logs.globs` -> `SONDE_AGENT_LOGS_GLOBS`. */
export function environmentName(section: string, key: string): string {
  return `SONDE_${section}_${key}`.replaceAll('.', '_').toUpperCase();
}

export const portSchema = z.number().int().min(0).max(65_535);
export const urlOrNoneSchema = z.union([
  z.literal(''),
  z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' }),
]);
export const countSchema = z.number().int().positive();

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** `30d`, `12h` or `0`: the value is kept as the text that was written. */
export const durationSchema = z
  .string()
  .regex(/^(0|(\d+(ms|s|m|h|d|w|y))+)$/, 'expected a duration such as 30d, 12h30m or 0');

/** Milliseconds of a text that durationSchema accepts. */
export function durationMs(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w|y)/g)) {
    total += Number(count) * (unitMs[unit ?? ''] ?? 0);
  }
  return total;
}
