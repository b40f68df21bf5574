/**
 * Conditions on a record's severity: `warn`, `from warn`, `below warn`. A record that nobody knows the severity of fits
 * none of them.
 *
 * A record's level is what a `severity` processor before has written, else what its body says (wire/level): the
 * collector says the same of a record without a severity.
 */
import { z } from 'zod';
import { detectLevel } from '#wire/level/level-detector.ts';
import { levelOfNumber, levels } from '#wire/level/severity.ts';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';

export const levelNames = levels.slice(1);

const form = new RegExp(`^(?:(from|below) )?(${levelNames.join('|')})$`);

export const severityRuleSchema = z
  .string()
  .regex(form, `expected a level (${levelNames.join(', ')}), or "from LEVEL" or "below LEVEL"`);

/** An index in `levels`; 0 where neither a processor nor the body says it. */
export function levelOfRecord(record: LogRecordFields): number {
  if (record.severityNumber !== 0) return levelOfNumber(record.severityNumber);
  return detectLevel(record.body, record.bodyFrom, record.bodyTo - record.bodyFrom);
}

/** By level: 1 where the rule holds. The rule must be one that severityRuleSchema takes. */
export function compileSeverityRule(rule: string): Uint8Array {
  const [, range, name] = form.exec(rule)!;
  const wanted = (levels as readonly string[]).indexOf(name!);
  const holds = new Uint8Array(levels.length);
  for (let level = 1; level < levels.length; level++) {
    if (range === 'from' ? level >= wanted : range === 'below' ? level < wanted : level === wanted)
      holds[level] = 1;
  }
  return holds;
}
