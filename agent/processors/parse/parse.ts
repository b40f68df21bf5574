/**
 * `parse`: fields of a body become attributes of its record.
 *
 *   - parse: { format: json, timestamp: { field: ts, layout: unix_ms }, message: msg }
 *   - parse: { pattern: "^(?P<method>[A-Z]+) (?P<path>\\S+) (?P<status>\\d+)", prefix: "http." }
 *
 * The body stays as it is, unless `message` names the field that replaces it. What does not have the format stays as it is
 * and is counted. A field that is used as the time or the message is no attribute.
 */
import { z } from 'zod';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { appendBytes, type ByteSource, ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';
import { BytePattern } from '../byte-pattern.ts';
import { patternSchema } from '../record-condition.ts';
import { type RecordProcessor, verdictChanged, verdictKept } from '../record-pipeline.ts';
import type { FieldName, FieldSink } from './field-sink.ts';
import { FieldWriter } from './field-writer.ts';
import { JsonFields } from './json-fields.ts';
import { LogfmtFields } from './logfmt-fields.ts';
import { compileTimeLayout, type TimeParser } from './time-layout.ts';

const layoutSchema = z
  .string()
  .max(64)
  .refine(
    (layout) => compileTimeLayout(layout) !== undefined,
    'expected rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout such as "YYYY-MM-DD hh:mm:ss.SSS"',
  );

export const parseSchema = z
  .strictObject({
    format: z.enum(['json', 'logfmt']).optional(),
    pattern: patternSchema.optional(),
    prefix: z.string().max(64).default(''),
    fields: z.array(z.string().min(1)).max(256).optional(),
    message: z.string().min(1).optional(),
    timestamp: z
      .strictObject({ field: z.string().min(1), layout: layoutSchema.default('rfc3339') })
      .optional(),
    attributes_max: z.number().int().min(1).max(256).default(64),
    depth_max: z.number().int().min(1).max(8).default(3),
    value_bytes_max: z.number().int().min(1).max(65_536).default(4096),
  })
  .refine(({ format, pattern }) => (format === undefined) !== (pattern === undefined), {
    message: 'give format (json or logfmt), or pattern',
    path: ['format'],
  })
  .refine(({ pattern }) => pattern === undefined || new BytePattern(pattern).groups.size > 0, {
    message: 'expected at least one named group: (?P<status>\\d+)',
    path: ['pattern'],
  });
type ParseOptions = z.infer<typeof parseSchema>;

interface FieldReader {
  read(source: ByteSource, from: number, to: number, sink: FieldSink): boolean;
}

export class ParseProcessor implements RecordProcessor, FieldSink {
  readonly #reader: FieldReader;
  readonly #fields: FieldWriter;
  readonly #prefix: Buffer;
  readonly #name = new ByteWriter(256);
  readonly #message: Buffer | undefined;
  readonly #messageText = new ByteWriter(256);
  #hasMessage = false;
  readonly #timeField: Buffer | undefined;
  readonly #parseTime: TimeParser | undefined;
  #timeNs: bigint | undefined;
  readonly #onNoted: (what: string, count: number) => void;
  #unparsed = 0;
  #skipped = 0;

  /** `onNoted` is told of bodies without the format, and of fields without room, in ranges that are settled. */
  constructor(options: ParseOptions, onNoted: (what: string, count: number) => void) {
    const { format, pattern, prefix, fields, message, timestamp } = options;
    if (pattern !== undefined) this.#reader = new PatternFields(pattern);
    else this.#reader = format === 'json' ? new JsonFields(options.depth_max) : new LogfmtFields();
    const limits = { attributesMax: options.attributes_max, valueBytesMax: options.value_bytes_max };
    this.#fields = new FieldWriter(
      limits,
      fields?.map((name) => prefix + name),
    );
    this.#prefix = Buffer.from(prefix);
    this.#message = message === undefined ? undefined : Buffer.from(message);
    this.#timeField = timestamp === undefined ? undefined : Buffer.from(timestamp.field);
    this.#parseTime = timestamp === undefined ? undefined : compileTimeLayout(timestamp.layout);
    this.#onNoted = onNoted;
  }

  begin(): void {
    this.#unparsed = 0;
    this.#skipped = 0;
  }

  take(): (() => void) | undefined {
    const unparsed = this.#unparsed;
    const skipped = this.#skipped;
    if (unparsed + skipped === 0) return undefined;
    return () => {
      if (unparsed > 0) this.#onNoted('unparsed', unparsed);
      if (skipped > 0) this.#onNoted('fields_skipped', skipped);
    };
  }

  process(record: LogRecordFields): number {
    this.#fields.begin(record);
    this.#hasMessage = false;
    this.#timeNs = undefined;
    if (!this.#reader.read(record.body, record.bodyFrom, record.bodyTo, this)) {
      this.#unparsed++;
      return verdictKept;
    }
    this.#skipped += this.#fields.skipped;
    if (this.#fields.count > 0) this.#fields.finish(record);
    if (this.#timeNs !== undefined) {
      record.timeLow = Number(this.#timeNs & 0xffff_ffffn);
      record.timeHigh = Number(this.#timeNs >> 32n);
    }
    if (this.#hasMessage) {
      record.body = this.#messageText;
      record.bodyFrom = 0;
      record.bodyTo = this.#messageText.position;
    }
    return this.#fields.count > 0 || this.#timeNs !== undefined || this.#hasMessage
      ? verdictChanged
      : verdictKept;
  }

  text(name: FieldName, source: ByteSource, from: number, to: number): void {
    if (this.#takeTime(name, source, from, to)) return;
    if (!this.#hasMessage && isNamed(name, this.#message)) {
      this.#hasMessage = true;
      const text = this.#messageText;
      text.clear();
      text.reserve(to - from);
      copyBytes(text, source, from, to);
    } else this.#fields.putText(this.#prefixed(name), source, from, to);
  }

  number(name: FieldName, value: number, source: ByteSource, from: number, to: number): void {
    if (!this.#takeTime(name, source, from, to)) this.#fields.putNumber(this.#prefixed(name), value);
  }

  boolean(name: FieldName, isTrue: boolean): void {
    this.#fields.putBoolean(this.#prefixed(name), isTrue);
  }

  #takeTime(name: FieldName, { bytes }: ByteSource, from: number, to: number): boolean {
    if (this.#timeField === undefined || this.#timeNs !== undefined || !isNamed(name, this.#timeField))
      return false;
    this.#timeNs = this.#parseTime!(bytes.toString('latin1', from, to));
    return this.#timeNs !== undefined;
  }

  #prefixed(name: FieldName): FieldName {
    if (this.#prefix.length === 0) return name;
    const prefixed = this.#name;
    prefixed.clear();
    appendBytes(prefixed, this.#prefix);
    prefixed.reserve(name.position);
    copyBytes(prefixed, name, 0, name.position);
    return prefixed;
  }
}

function isNamed(name: FieldName, wanted: Buffer | undefined): boolean {
  return wanted !== undefined && name.position === wanted.length && wanted.equals(name.written());
}

/** Named groups of the first match. */
class PatternFields implements FieldReader {
  readonly #pattern: BytePattern;
  readonly #groups: readonly { readonly name: FieldName; readonly group: number }[];

  constructor(pattern: string) {
    this.#pattern = new BytePattern(pattern);
    this.#groups = [...this.#pattern.groups].map(([text, group]) => {
      const name = new ByteWriter(text.length);
      appendBytes(name, Buffer.from(text));
      return { name, group };
    });
  }

  read(source: ByteSource, from: number, to: number, sink: FieldSink): boolean {
    let isFound = false;
    this.#pattern.forEach(source, from, to, (places) => {
      isFound = true;
      for (const { name, group } of this.#groups) {
        const place = places[group]!;
        if (place.from !== -1) sink.text(name, source, place.from, place.to);
      }
      return false;
    });
    return isFound;
  }
}
