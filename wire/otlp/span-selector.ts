/**
 * Some of the spans of an OTLP traces request as a request of their own, by copying byte ranges: scopes and resources
 * that are left without spans are left out, unknown fields stay.
 *
 *   selector.select(bytes, codes of [span 0, span 1, span 2] = [1, 0, 1])  ->  the request without span 1
 *
 *   ExportTraceServiceRequest => resource_spans:ResourceSpans* (1)
 *   ResourceSpans             => resource:Resource (1) scope_spans:ScopeSpans* (2) schema_url:string (3)
 *   ScopeSpans                => scope:InstrumentationScope (1) spans:Span* (2) schema_url:string (3)
 */
import { ByteWriter } from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage } from '../protobuf/message-writer.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';

/** Writes the fields of a kept span, which are source[from, to), in its place. */
export type SpanEditor = (writer: ByteWriter, source: Buffer, from: number, to: number, code: number) => void;

const resourceSpansTag = 0x0a;
const scopeSpansTag = 0x12;
const spanTag = 0x12;

export class SpanSelector {
  readonly #reader = new ProtobufReader();
  readonly #writer = new ByteWriter();
  #source: Buffer = Buffer.alloc(0);
  #codes: ArrayLike<number> = [];
  #edit: SpanEditor | undefined;
  #spanIndex = 0;

  /**
   * Keeps the spans whose code is not 0; `codes` has one for each span, in the order of the bytes. Spans whose code is above 1
   * go through `edit`. Returns bytes of their own. Throws DecodeError on what is not protobuf.
   */
  select(bytes: Uint8Array, codes: ArrayLike<number>, edit?: SpanEditor): Uint8Array {
    this.#source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#codes = codes;
    this.#edit = edit;
    this.#spanIndex = 0;
    const writer = this.#writer;
    writer.clear();
    this.#reader.begin(bytes);
    this.#copyMessage(resourceSpansTag, () => this.#copyMessage(scopeSpansTag, () => this.#copySpans()));
    const selected = new Uint8Array(writer.written());
    this.#source = Buffer.alloc(0);
    return selected;
  }

  /** Copies the message that the reader is in, its fields of `tag` by `inside`. Returns how many spans were kept. */
  #copyMessage(tag: number, inside: () => number): number {
    const reader = this.#reader;
    const writer = this.#writer;
    let kept = 0;
    while (reader.position < reader.limit) {
      const start = reader.position;
      if (reader.readTag() !== tag) {
        reader.skip();
        this.#copy(start, reader.position);
        continue;
      }
      const outer = reader.enter();
      const before = writer.position;
      const mark = beginMessage(writer, tag >>> 3);
      const keptInside = inside();
      if (keptInside === 0) writer.position = before;
      else endMessage(writer, mark);
      kept += keptInside;
      reader.leave(outer);
    }
    return kept;
  }

  #copySpans(): number {
    const reader = this.#reader;
    const writer = this.#writer;
    let kept = 0;
    while (reader.position < reader.limit) {
      const start = reader.position;
      if (reader.readTag() !== spanTag) {
        reader.skip();
        this.#copy(start, reader.position);
        continue;
      }
      const from = reader.passBytes();
      const code = this.#codes[this.#spanIndex++]!;
      if (code === 0) continue;
      kept++;
      if (code === 1 || this.#edit === undefined) {
        this.#copy(start, reader.position);
        continue;
      }
      const mark = beginMessage(writer, spanTag >>> 3);
      this.#edit(writer, this.#source, from, reader.position, code);
      endMessage(writer, mark);
    }
    return kept;
  }

  #copy(from: number, to: number): void {
    this.#writer.reserve(to - from);
    this.#source.copy(this.#writer.bytes, this.#writer.position, from, to);
    this.#writer.position += to - from;
  }
}
