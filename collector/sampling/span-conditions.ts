/**
 * Conditions of policies that single spans meet, evaluated on the bytes of status and attributes. Each is a bit; the
 * trace's bits say which some span of it has met.
 *
 *   add({ key: http.route, values: [/pay] })  ->  condition 0;  attribute http.route=/pay of a span  ->  sets bit 0
 *
 *   KeyValue => key:string (1) value:AnyValue (2)
 *   AnyValue => string (1) | bool (2) | int64 (3) | double (4) | array (5) | kvlist (6) | bytes (7)
 */
import { RE2JS } from 're2js';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { LeafPolicy } from './policy-schema.ts';

type AttributePolicy = Extract<
  LeafPolicy,
  { type: 'string_attribute' | 'numeric_attribute' | 'boolean_attribute' }
>;

/** What of an attribute's value conditions are asked with. Other kinds of value meet none. */
type ValueKind = 'none' | 'string' | 'boolean' | 'number';

interface AttributeCondition {
  readonly condition: number;
  readonly kind: ValueKind;
  readonly isForSpans: boolean;
  readonly isForResources: boolean;
  /** For text: the bytes of the request, and where it is in them. */
  readonly testText?: (bytes: Buffer, from: number, to: number) => boolean;
  /** For numbers, and booleans as 0 and 1. */
  readonly testNumber?: (value: number) => boolean;
}

interface AskedKey {
  readonly key: Buffer;
  readonly conditions: AttributeCondition[];
}

const statusNumbers = { UNSET: 0, OK: 1, ERROR: 2 } as const;
const twoTo32 = 0x1_0000_0000;

export class SpanConditions {
  #count = 0;
  readonly #keys: AskedKey[] = [];
  /** Conditions by status code. */
  readonly #status: number[][] = [[], [], []];
  readonly #reader = new ProtobufReader();

  get count(): number {
    return this.#count;
  }

  /** Whether any attribute has to be looked at. */
  get hasAttributes(): boolean {
    return this.#keys.length > 0;
  }

  /** Returns the number of the condition that a span has one of the status codes. */
  addStatus(codes: readonly (keyof typeof statusNumbers)[]): number {
    const condition = this.#count++;
    for (const code of codes) this.#status[statusNumbers[code]]!.push(condition);
    return condition;
  }

  /** Returns the number of the condition that a span or its resource has such an attribute. */
  addAttribute(policy: AttributePolicy): number {
    const condition = this.#count++;
    const key = Buffer.from(policy.options.key);
    let asked = this.#keys.find((known) => known.key.equals(key));
    if (asked === undefined) {
      asked = { key, conditions: [] };
      this.#keys.push(asked);
    }
    const { in: place } = policy.options;
    const places = { isForSpans: place !== 'resource', isForResources: place !== 'span' };
    asked.conditions.push({ condition, ...places, ...valueTest(policy) });
    return condition;
  }

  setStatus(status: number, bits: Uint32Array): void {
    const conditions = this.#status[status];
    if (conditions === undefined) return;
    for (const condition of conditions) setBit(bits, condition);
  }

  /** Sets the bits of what the KeyValue in bytes[from, to) meets. Throws DecodeError on what is not protobuf. */
  setAttribute(bytes: Buffer, from: number, to: number, isResource: boolean, bits: Uint32Array): void {
    const reader = this.#reader;
    reader.seek(from, to);
    let asked: AskedKey | undefined;
    let valueFrom = 0;
    let valueTo = 0;
    while (reader.position < to) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        const keyFrom = reader.passBytes();
        asked = this.#asked(bytes, keyFrom, reader.position);
        // The usual order is key, value: what nobody asks for ends here.
        if (asked === undefined && valueTo === 0) return;
      } else if (tag === 0x12) {
        valueFrom = reader.passBytes();
        valueTo = reader.position;
      } else reader.skip();
    }
    if (asked !== undefined) this.#test(bytes, valueFrom, valueTo, asked, isResource, bits);
  }

  /** Must be called before the attributes of a request. */
  begin(bytes: Buffer): void {
    this.#reader.begin(bytes);
  }

  #asked(bytes: Buffer, from: number, to: number): AskedKey | undefined {
    for (const asked of this.#keys) {
      const { key } = asked;
      if (key.length === to - from && isEqual(bytes, from, key)) return asked;
    }
    return undefined;
  }

  #test(
    bytes: Buffer,
    from: number,
    to: number,
    asked: AskedKey,
    isResource: boolean,
    bits: Uint32Array,
  ): void {
    const reader = this.#reader;
    reader.seek(from, to);
    let kind: ValueKind = 'none';
    let textFrom = 0;
    let textTo = 0;
    let number = 0;
    while (reader.position < to) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        kind = 'string';
        textFrom = reader.passBytes();
        textTo = reader.position;
      } else if (tag === 0x10) {
        kind = 'boolean';
        number = reader.readVarint() === 0 ? 0 : 1;
      } else if (tag === 0x18) {
        kind = 'number';
        reader.readVarint64();
        number = (reader.high | 0) * twoTo32 + reader.low;
      } else if (tag === 0x21) {
        kind = 'number';
        number = reader.source.view.getFloat64(reader.passFixed64(), true);
      } else {
        reader.skip();
        kind = 'none';
      }
    }
    for (const each of asked.conditions) {
      if (each.kind !== kind || !(isResource ? each.isForResources : each.isForSpans)) continue;
      const isMet =
        each.testText === undefined ? each.testNumber!(number) : each.testText(bytes, textFrom, textTo);
      if (isMet) setBit(bits, each.condition);
    }
  }
}

function valueTest(policy: AttributePolicy): Pick<AttributeCondition, 'kind' | 'testText' | 'testNumber'> {
  switch (policy.type) {
    case 'boolean_attribute': {
      const wanted = policy.options.value ? 1 : 0;
      return { kind: 'boolean', testNumber: (value) => value === wanted };
    }
    case 'numeric_attribute': {
      const { min_value: min = Number.NEGATIVE_INFINITY, max_value: max = Number.POSITIVE_INFINITY } =
        policy.options;
      return { kind: 'number', testNumber: (value) => value >= min && value <= max };
    }
    case 'string_attribute': {
      const { values, enabled_regex_matching: isRegex } = policy.options;
      if (isRegex) {
        const patterns = values.map((value) => RE2JS.compile(value));
        return {
          kind: 'string',
          testText: (bytes, from, to) => patterns.some((pattern) => pattern.test(bytes.subarray(from, to))),
        };
      }
      // As latin1, so that a text of any bytes is compared byte for byte.
      const wanted = new Set(values.map((value) => Buffer.from(value).toString('latin1')));
      return {
        kind: 'string',
        testText: (bytes, from, to) => wanted.has(bytes.toString('latin1', from, to)),
      };
    }
    default:
      return policy satisfies never;
  }
}

function setBit(bits: Uint32Array, condition: number): void {
  bits[condition >>> 5]! |= 1 << (condition & 31);
}

function isEqual(bytes: Buffer, from: number, key: Buffer): boolean {
  for (let index = 0; index < key.length; index++) if (bytes[from + index] !== key[index]) return false;
  return true;
}
