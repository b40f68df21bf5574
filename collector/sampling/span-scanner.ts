/**
 * Walks an OTLP traces request once and tells the table of traces what its spans show: ids, times, status, and the
 * attributes that policies ask for. Straight from the bytes: no objects, and of all else only the lengths are read.
 *
 *   Resource => attributes:KeyValue* (1)
 *   Span     => trace_id:bytes (1) trace_state:string (3) parent_span_id:bytes (4) start_time:fixed64 (7)
 *     end_time:fixed64 (8) attributes:KeyValue* (9) status:Status (15)
 *   Status   => code:enum (3)
 */
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { PolicySet } from './policy-set.ts';
import { explicitRandomness } from './trace-state.ts';
import type { TraceTable } from './trace-table.ts';

/** The span is in no trace: it passes, and whoever stores it refuses and counts it. */
export const noTrace = -1;

const traceIdBytes = 16;
const noBytes = Buffer.alloc(0);

export class SpanScanner {
  readonly #reader = new ProtobufReader();
  readonly #table: TraceTable;
  #policies: PolicySet | undefined;
  #bytes: Buffer = noBytes;
  #tenant = 0;
  #nowMs = 0;
  #numbers = new Float64Array(1024);
  #count = 0;
  /** What the resource meets, and what the span does on top. */
  readonly #resourceBits: Uint32Array;
  readonly #spanBits: Uint32Array;

  /** The table has `conditionCount` bits for a trace. */
  constructor(table: TraceTable, conditionCount: number) {
    this.#table = table;
    this.#resourceBits = new Uint32Array(Math.max(1, Math.ceil(conditionCount / 32)));
    this.#spanBits = new Uint32Array(this.#resourceBits.length);
  }

  /**
   * Returns the number of each span's trace, in the order of the bytes; valid until the next scan. Traces that are new begin
   * at `nowMs`; those that are decided learn nothing. Throws DecodeError half-way on what is not protobuf.
   */
  scan(bytes: Uint8Array, tenant: number, policies: PolicySet, nowMs: number): Float64Array {
    const reader = this.#reader;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tenant = tenant;
    this.#policies = policies;
    this.#nowMs = nowMs;
    this.#count = 0;
    reader.begin(bytes);
    policies.conditions.begin(this.#bytes);
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x0a) this.#scanResourceSpans();
      else reader.skip();
    }
    this.#bytes = noBytes;
    reader.begin(noBytes);
    policies.conditions.begin(noBytes);
    return this.#numbers.subarray(0, this.#count);
  }

  #scanResourceSpans(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    const start = reader.position;
    this.#resourceBits.fill(0);
    // A resource may stand behind its spans.
    if (this.#policies!.conditions.hasAttributes) {
      while (reader.position < reader.limit) {
        if (reader.readTag() === 0x0a) this.#scanResource();
        else reader.skip();
      }
      reader.seek(start, reader.limit);
    }
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x12) this.#scanScopeSpans();
      else reader.skip();
    }
    reader.leave(outer);
  }

  #scanResource(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x0a) this.#scanAttribute(true, this.#resourceBits);
      else reader.skip();
    }
    reader.leave(outer);
  }

  #scanScopeSpans(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      if (reader.readTag() !== 0x12) {
        reader.skip();
        continue;
      }
      const scope = reader.enter();
      const number = this.#scanSpan();
      reader.leave(scope);
      if (this.#count === this.#numbers.length) this.#growNumbers();
      this.#numbers[this.#count++] = number;
    }
    reader.leave(outer);
  }

  #scanSpan(): number {
    const reader = this.#reader;
    const policies = this.#policies!;
    const { view } = reader.source;
    const bits = this.#spanBits;
    bits.set(this.#resourceBits);
    let traceAt = -1;
    let stateFrom = 0;
    let stateTo = 0;
    let isRoot = true;
    let startAt = -1;
    let endAt = -1;
    let status = 0;
    while (reader.position < reader.limit) {
      switch (reader.readTag()) {
        case 0x0a: {
          const at = reader.passBytes();
          traceAt = reader.position - at === traceIdBytes ? at : -1;
          break;
        }
        case 0x1a:
          stateFrom = reader.passBytes();
          stateTo = reader.position;
          break;
        case 0x22:
          isRoot = reader.passBytes() === reader.position;
          break;
        case 0x39:
          startAt = reader.passFixed64();
          break;
        case 0x41:
          endAt = reader.passFixed64();
          break;
        case 0x4a:
          if (policies.conditions.hasAttributes) this.#scanAttribute(false, bits);
          else reader.skip();
          break;
        case 0x7a:
          status = this.#scanStatus();
          break;
        default:
          reader.skip();
      }
    }
    if (traceAt === -1) return noTrace;
    const table = this.#table;
    let number = table.find(this.#tenant, reader.source, traceAt);
    if (number === -1) number = table.add(this.#tenant, reader.source, traceAt, this.#nowMs);
    if (number < table.decided) return number;
    policies.conditions.setStatus(status, bits);
    table.facts.addSpan(
      number,
      startAt === -1 ? 0 : view.getUint32(startAt, true),
      startAt === -1 ? 0 : view.getUint32(startAt + 4, true),
      endAt === -1 ? 0 : view.getUint32(endAt, true),
      endAt === -1 ? 0 : view.getUint32(endAt + 4, true),
      isRoot,
    );
    for (let word = 0; word < bits.length; word++) {
      if (bits[word] !== 0) table.facts.addBits(number, word, bits[word]!);
    }
    if (stateTo > stateFrom && policies.asksForRandomness) {
      const random = explicitRandomness(this.#bytes.toString('latin1', stateFrom, stateTo));
      if (random !== undefined) table.facts.setRandom(number, random.high, random.low);
    }
    return number;
  }

  #scanAttribute(isResource: boolean, bits: Uint32Array): void {
    const reader = this.#reader;
    const from = reader.passBytes();
    this.#policies!.conditions.setAttribute(this.#bytes, from, reader.position, isResource, bits);
  }

  #scanStatus(): number {
    const reader = this.#reader;
    const outer = reader.enter();
    let status = 0;
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x18) status = reader.readVarint();
      else reader.skip();
    }
    reader.leave(outer);
    return status;
  }

  #growNumbers(): void {
    const grown = new Float64Array(2 * this.#numbers.length);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}
