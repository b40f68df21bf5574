/**
 * Which records a rule is about: `body` (one or several regular expressions), `severity`, `attributes`. All that is given
 * must hold; of several expressions, one.
 *
 *   { body: ["GET /healthz", "GET /ready"], severity: below warn }
 */
import { z } from 'zod';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { attributeKey, findAttributeText } from './attribute-fields.ts';
import { BytePattern, patternCharsMax } from './byte-pattern.ts';
import { compileSeverityRule, levelOfRecord, severityRuleSchema } from './severity-rule.ts';

/** A regular expression of RE2. */
export const patternSchema = z
  .string()
  .min(1)
  .max(patternCharsMax)
  .superRefine((text, context) => {
    try {
      new BytePattern(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `not an RE2 expression: ${(error as Error).message}` });
    }
  });

const patternsSchema = z.union([patternSchema, z.array(patternSchema).min(1).max(100)]);

export const conditionFields = {
  body: patternsSchema.optional(),
  severity: severityRuleSchema.optional(),
  attributes: z.record(z.string().min(1), patternSchema).optional(),
};
const conditionSchema = z.strictObject(conditionFields);
export type Condition = z.infer<typeof conditionSchema>;

/** A condition that asks for something. */
export const ruleSchema = conditionSchema.refine(
  (rule) => Object.values(rule).some((part) => part !== undefined),
  'expected at least one of body, severity, attributes',
);

export class RecordCondition {
  readonly #bodies: readonly BytePattern[];
  readonly #levels: Uint8Array | undefined;
  readonly #attributes: readonly { readonly key: Buffer; readonly pattern: BytePattern }[];

  constructor({ body, severity, attributes }: Condition) {
    this.#bodies = body === undefined ? [] : [body].flat().map((pattern) => new BytePattern(pattern));
    this.#levels = severity === undefined ? undefined : compileSeverityRule(severity);
    this.#attributes = Object.entries(attributes ?? {}).map(([name, pattern]) => ({
      key: attributeKey(name),
      pattern: new BytePattern(pattern),
    }));
  }

  holds(record: LogRecordFields): boolean {
    return (
      (this.#levels === undefined || this.#levels[levelOfRecord(record)] === 1) &&
      this.#bodyHolds(record) &&
      this.#attributes.every(({ key, pattern }) => attributeHolds(record, key, pattern))
    );
  }

  /** False where the record's severity is not known, and the condition asks for one. */
  knows(record: LogRecordFields): boolean {
    return this.#levels === undefined || levelOfRecord(record) !== 0;
  }

  #bodyHolds({ body, bodyFrom, bodyTo }: LogRecordFields): boolean {
    if (this.#bodies.length === 0) return true;
    for (const pattern of this.#bodies) if (pattern.test(body, bodyFrom, bodyTo)) return true;
    return false;
  }
}

function attributeHolds(record: LogRecordFields, key: Buffer, pattern: BytePattern): boolean {
  const place = findAttributeText(record, key);
  return place !== undefined && pattern.test(place.source, place.from, place.to);
}
