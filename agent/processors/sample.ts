/**
 * `sample`: keeps a share of the records, chosen by a hash of the record's body and time, or of a key in it, so that the
 * same record is chosen again when its batch is made again, and all records of a key share its fate.
 *
 *   - sample: { rate: 0.1, severity: { debug: 0.01, error: 1 } }
 *   - sample: { rate: 0.05, key: "trace_id=(\\w+)" }            - sample: { rate: 0.05, key_attribute: trace_id }
 *
 * A record that does not have the key is kept: nobody can say what it belongs to.
 */
import { z } from 'zod';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { attributeKey, findAttributeText } from './attribute-fields.ts';
import { hashRange } from './byte-hash.ts';
import { type ByteMatch, BytePattern } from './byte-pattern.ts';
import { patternSchema } from './record-condition.ts';
import { type RecordProcessor, verdictDropped, verdictKept } from './record-pipeline.ts';
import { levelNames, levelOfRecord } from './severity-rule.ts';

const rateSchema = z.number().min(0).max(1);

export const sampleSchema = z
  .strictObject({
    rate: rateSchema,
    severity: z.partialRecord(z.enum(levelNames), rateSchema).optional(),
    key: patternSchema.optional(),
    key_attribute: z.string().min(1).optional(),
  })
  .refine(({ key, key_attribute }) => key === undefined || key_attribute === undefined, {
    message: 'give key or key_attribute, not both',
    path: ['key_attribute'],
  })
  .refine(({ key }) => key === undefined || new BytePattern(key).groupCount === 1, {
    message: 'expected one group, which is the key: "trace_id=(\\w+)"',
    path: ['key'],
  });

const hashCount = 2 ** 32;

export class SampleProcessor implements RecordProcessor {
  /** By level: hashes below are kept. */
  readonly #keptBelow: readonly number[];
  readonly #isBySeverity: boolean;
  readonly #key: BytePattern | undefined;
  readonly #keyAttribute: Buffer | undefined;

  constructor({ rate, severity, key, key_attribute }: z.infer<typeof sampleSchema>) {
    this.#keptBelow = ['unknown' as const, ...levelNames].map((level) => {
      const own = level === 'unknown' ? undefined : severity?.[level];
      return (own ?? rate) * hashCount;
    });
    this.#isBySeverity = severity !== undefined;
    this.#key = key === undefined ? undefined : new BytePattern(key);
    this.#keyAttribute = key_attribute === undefined ? undefined : attributeKey(key_attribute);
  }

  process(record: LogRecordFields): number {
    const keptBelow = this.#keptBelow[this.#isBySeverity ? levelOfRecord(record) : 0]!;
    if (keptBelow === hashCount) return verdictKept;
    const hash = this.#hash(record);
    return hash === undefined || hash < keptBelow ? verdictKept : verdictDropped;
  }

  #hash(record: LogRecordFields): number | undefined {
    const { body, bodyFrom, bodyTo, timeLow, timeHigh } = record;
    if (this.#keyAttribute !== undefined) {
      const place = findAttributeText(record, this.#keyAttribute);
      return place === undefined ? undefined : hashRange(place.source.bytes, place.from, place.to, 0);
    }
    if (this.#key === undefined) return hashRange(body.bytes, bodyFrom, bodyTo, timeLow ^ timeHigh);
    let hash: number | undefined;
    this.#key.forEach(body, bodyFrom, bodyTo, ([, group]: readonly ByteMatch[]) => {
      if (group!.from !== -1) hash = hashRange(body.bytes, group!.from, group!.to, 0);
      return false;
    });
    return hash;
  }
}
