/**
 * `severity`: writes what a record's body says of its level into the record, as OTLP's number and short name.
 *
 *   {"level":"warning",...}  ->  13 WARN      E1126 12:00:00.0 main.go:7] x  ->  17 ERROR      <14>app: x  ->  9 INFO
 *
 * The rules are those that the collector has for records without a severity (wire/level/level-detector.ts). What says
 * nothing gets the level of `default`, if that is given.
 */
import { z } from 'zod';
import { detectLevel } from '#wire/level/level-detector.ts';
import { levels } from '#wire/level/severity.ts';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { type ByteSource, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { type RecordProcessor, verdictChanged, verdictKept } from './record-pipeline.ts';
import { levelNames } from './severity-rule.ts';

export const severitySchema = z.strictObject({
  default: z.enum(levelNames).optional(),
});

// OTLP, Logs data model, SeverityNumber: each level has four numbers, and the first one has the level's own name.
const severityOfLevel = (level: number): number => 4 * level - 3;
const texts: readonly ByteSource[] = levels.map((level) =>
  byteSource(Buffer.concat([Buffer.from(level.toUpperCase()), Buffer.alloc(copySlackBytes)])),
);

export class SeverityProcessor implements RecordProcessor {
  readonly #default: number;

  constructor(options: z.infer<typeof severitySchema>) {
    this.#default = options.default === undefined ? 0 : levels.indexOf(options.default);
  }

  process(record: LogRecordFields): number {
    const { body, bodyFrom, bodyTo } = record;
    let level = detectLevel(body, bodyFrom, bodyTo - bodyFrom);
    if (level === 0) level = this.#default;
    if (level === 0) return verdictKept;
    setLevel(record, level);
    return verdictChanged;
  }
}

/** `level` is an index in `levels`, from 1 up. */
export function setLevel(record: LogRecordFields, level: number): void {
  record.severityNumber = severityOfLevel(level);
  record.severityText = texts[level];
  record.severityTextBytes = levels[level].length;
}
