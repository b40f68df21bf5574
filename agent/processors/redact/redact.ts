/**
 * `redact`: secrets in bodies and attribute values are replaced by what they were, or by a keyed hash.
 *
 *   - redact: { detectors: [credit_card, email], patterns: { order_id: "ORD-\\d+" } }   ->  [credit_card] [order_id]
 *   - redact: { detectors: all, mode: hash, key_file: /etc/sonde/redact.key }            ->  [email:3f1c9a0b22d4e871]
 *
 * Hashes are HMAC-SHA-256 with the key of the file, cut to 64 bits: equal secrets have equal hashes, and nobody without the
 * key can try values.
 */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { type ByteSource, ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';
import {
  AttributeCursor,
  attributeName,
  integerText,
  intTag,
  writeTextAttribute,
} from '../attribute-fields.ts';
import { BytePattern } from '../byte-pattern.ts';
import { patternSchema } from '../record-condition.ts';
import { type RecordProcessor, verdictChanged, verdictKept } from '../record-pipeline.ts';
import { email, ipv6 } from './address-detectors.ts';
import { type Detector, type DetectorName, detectorNames } from './detector.ts';
import { creditCard, ipv4 } from './number-detectors.ts';
import { SecretScanner } from './secret-scanner.ts';
import { awsAccessKey, awsSecretKey, bearerToken, jwt, privateKey } from './token-detectors.ts';

const detectors: Readonly<Record<DetectorName, Detector>> = {
  credit_card: creditCard,
  email,
  ipv4,
  ipv6,
  jwt,
  aws_access_key: awsAccessKey,
  aws_secret_key: awsSecretKey,
  bearer_token: bearerToken,
  private_key: privateKey,
};

const nameSchema = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected a name such as order_id');
/** A name per expression, which stands for it in masks and counters. */
const patternsSchema = z
  .record(nameSchema, patternSchema)
  .refine((patterns) => Object.keys(patterns).length <= 64, 'expected at most 64 patterns');

export const redactSchema = z
  .strictObject({
    detectors: z
      .union(
        [z.literal('all'), z.array(z.enum(detectorNames))],
        `expected all, or a list of ${detectorNames.join(', ')}`,
      )
      .default('all'),
    patterns: patternsSchema.default({}),
    mode: z.enum(['mask', 'hash']).default('mask'),
    key_file: z.string().min(1).optional(),
  })
  .refine(({ mode, key_file }) => mode === 'mask' || key_file !== undefined, {
    message: 'mode hash needs key_file: a file with a secret of 16 bytes or more',
    path: ['key_file'],
  });

const keyBytesMin = 16;
const hashHexChars = 16;
/** Card numbers have 13 digits or more; shorter numbers take fewer bytes as varints. */
const cardVarintBytesMin = 6;

export class RedactProcessor implements RecordProcessor {
  readonly #names: readonly string[];
  readonly #scanner: SecretScanner;
  readonly #body = new ByteWriter(256);
  readonly #attributes = new ByteWriter(256);
  readonly #number = new ByteWriter(32);
  readonly #cursor = new AttributeCursor();
  readonly #onFound: (name: string, count: number) => void;
  /** The attributes of a stream are the same bytes for all its lines: these had no secret. */
  #clean: ByteSource | undefined;

  /** `onFound` is told what was found in ranges whose batches are settled. Throws ConfigError for a key file. */
  constructor(options: z.infer<typeof redactSchema>, onFound: (name: string, count: number) => void) {
    const names =
      options.detectors === 'all'
        ? detectorNames
        : detectorNames.filter((name) => options.detectors.includes(name));
    const patterns = Object.entries(options.patterns).map(([name, pattern]) => ({
      name,
      pattern: new BytePattern(pattern),
    }));
    this.#names = [...names, ...patterns.map(({ name }) => name)];
    this.#onFound = onFound;
    const key = options.mode === 'hash' ? readKey(options.key_file!) : undefined;
    const masks = this.#names.map((name) => Buffer.from(`[${name}]`));
    this.#scanner = new SecretScanner(
      names.map((name) => detectors[name]),
      patterns,
      key === undefined
        ? (kind) => masks[kind]!
        : (kind, bytes, from, to) => hashText(this.#names[kind]!, key, bytes.subarray(from, to)),
    );
  }

  begin(): void {
    this.#scanner.counts.fill(0);
  }

  take(): (() => void) | undefined {
    const { counts } = this.#scanner;
    if (counts.every((count) => count === 0)) return undefined;
    const found = [...counts];
    return () => {
      for (const [kind, count] of found.entries()) if (count > 0) this.#onFound(this.#names[kind]!, count);
    };
  }

  process(record: LogRecordFields): number {
    const text = this.#scanner.scan(record.body, record.bodyFrom, record.bodyTo);
    if (text !== undefined) {
      // The scanner's own buffer is used again for the attributes.
      const body = this.#body;
      body.clear();
      body.reserve(text.position);
      copyBytes(body, text, 0, text.position);
      record.body = body;
      record.bodyFrom = 0;
      record.bodyTo = body.position;
    }
    const isChanged = record.attributes !== this.#clean && this.#redactAttributes(record);
    return text !== undefined || isChanged ? verdictChanged : verdictKept;
  }

  #redactAttributes(record: LogRecordFields): boolean {
    const cursor = this.#cursor;
    const { attributes, attributesBytes } = record;
    const out = this.#attributes;
    let copied = 0;
    let isChanged = false;
    cursor.begin(record);
    while (cursor.next()) {
      const text = this.#redactValue(attributes);
      if (text === undefined) continue;
      if (!isChanged) out.clear();
      isChanged = true;
      out.reserve(cursor.fieldFrom - copied);
      copyBytes(out, attributes, copied, cursor.fieldFrom);
      writeTextAttribute(
        out,
        attributeName(attributes.bytes.subarray(cursor.keyFrom, cursor.keyTo)),
        text,
        0,
        text.position,
      );
      copied = cursor.fieldTo;
    }
    if (!isChanged) {
      if (!(attributes instanceof ByteWriter)) this.#clean = attributes;
      return false;
    }
    out.reserve(attributesBytes - copied);
    copyBytes(out, attributes, copied, attributesBytes);
    record.attributes = out;
    record.attributesBytes = out.position;
    return true;
  }

  /** Returns the value without secrets, or undefined where it has none. A card's number may be an integer. */
  #redactValue(attributes: ByteSource): ByteWriter | undefined {
    const { valueFrom, valueTo } = this.#cursor;
    const textFrom = this.#cursor.textFrom();
    if (textFrom !== -1) return this.#scanner.scan(attributes, textFrom, valueTo);
    if (attributes.bytes[valueFrom] !== intTag || valueTo - valueFrom <= cardVarintBytesMin) return undefined;
    const number = this.#number;
    number.clear();
    number.position = number.bytes.write(integerText(attributes.bytes, valueFrom + 1, valueTo), 'latin1');
    return this.#scanner.scan(number, 0, number.position);
  }
}

function hashText(name: string, key: Buffer, secret: Buffer): Buffer {
  const hash = createHmac('sha256', key).update(secret).digest('hex').slice(0, hashHexChars);
  return Buffer.from(`[${name}:${hash}]`);
}

function readKey(path: string): Buffer {
  let key: Buffer;
  try {
    key = readFileSync(path);
  } catch (error) {
    throw new ConfigError(`redact: key_file cannot be read: ${errorMessage(error)}`);
  }
  // Editors end files with a line feed, and it is no secret.
  const text = key.at(-1) === 0x0a ? key.subarray(0, -1) : key;
  if (text.length >= keyBytesMin) return text;
  throw new ConfigError(`redact: key_file ${path} has ${text.length} bytes: give ${keyBytesMin} or more`);
}
