/** The nested messages of a span: status, events and links, written to the parallel arrays of `spans`. */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeWriter } from './attribute-writer.ts';
import type { RangeList } from './range-list.ts';
import type { SpanColumns } from './span-columns.ts';

const int64HighMax = 0x7fff_ffff;

export class SpanParts {
  readonly #reader: ProtobufReader;
  readonly #writer: AttributeWriter;
  readonly #columns: SpanColumns;
  /** Where the fields of a link are, by their numbers. */
  readonly #starts = [0, 0, 0, 0];
  readonly #lengths = [0, 0, 0, 0];

  constructor(reader: ProtobufReader, writer: AttributeWriter, columns: SpanColumns) {
    this.#reader = reader;
    this.#writer = writer;
    this.#columns = columns;
  }

  // Status => message:string (2) code:enum (3)
  writeStatus(start: number, end: number): void {
    const reader = this.#reader;
    let code = 0;
    let messageStart = 0;
    let messageLength = 0;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x12) {
        messageLength = reader.readLength();
        messageStart = reader.position;
        reader.position += messageLength;
      } else if (tag === 0x18) code = reader.readVarint();
      else reader.skip();
    }
    this.#columns.status.pushUint8(code <= 127 ? code : 0);
    this.#columns.statusMessage.pushRange(reader.source, messageStart, messageLength);
  }

  // Event => time_unix_nano:fixed64 (1) name:string (2) attributes:KeyValue* (3)
  writeEvents(events: RangeList): void {
    const reader = this.#reader;
    const { eventTs, eventName, eventAttrs } = this.#columns;
    if (events.count === 0) {
      eventTs.pushEmptyRow();
      eventName.pushEmptyRow();
      eventAttrs.pushEmptyRow();
      return;
    }
    for (let i = 0; i < events.count; i++) {
      const end = events.ends[i];
      let low = 0;
      let high = 0;
      let nameStart = 0;
      let nameLength = 0;
      reader.seek(events.starts[i], end);
      while (reader.position < end) {
        const tag = reader.readTag();
        if (tag === 0x09) {
          reader.readFixed64();
          low = reader.low;
          high = reader.high;
        } else if (tag === 0x12) {
          nameLength = reader.readLength();
          nameStart = reader.position;
          reader.position += nameLength;
        } else if (tag === 0x1a) this.#writer.writeRun(eventAttrs.elements, tag);
        else reader.skip();
      }
      // A time beyond DateTime64 would come out negative: it is stored as missing.
      if (high > int64HighMax) eventTs.elements.pushZero();
      else eventTs.elements.pushUint64(low, high);
      eventName.elements.pushRange(reader.source, nameStart, nameLength);
      eventAttrs.elements.endRow();
    }
    eventTs.endRow();
    eventName.endRow();
    eventAttrs.endRow();
  }

  // Link => trace_id:bytes (1) span_id:bytes (2) trace_state:string (3) attributes:KeyValue* (4)
  /** An id of a wrong length becomes zeros: the link stays, and points nowhere. */
  writeLinks(links: RangeList): void {
    const reader = this.#reader;
    const { linkTraceId, linkSpanId, linkTraceState, linkAttrs } = this.#columns;
    if (links.count === 0) {
      linkTraceId.pushEmptyRow();
      linkSpanId.pushEmptyRow();
      linkTraceState.pushEmptyRow();
      linkAttrs.pushEmptyRow();
      return;
    }
    const starts = this.#starts;
    const lengths = this.#lengths;
    for (let i = 0; i < links.count; i++) {
      const end = links.ends[i];
      lengths.fill(0);
      reader.seek(links.starts[i], end);
      while (reader.position < end) {
        const tag = reader.readTag();
        if (tag === 0x0a || tag === 0x12 || tag === 0x1a) {
          lengths[tag >>> 3] = reader.readLength();
          starts[tag >>> 3] = reader.position;
          reader.position += lengths[tag >>> 3];
        } else if (tag === 0x22) this.#writer.writeRun(linkAttrs.elements, tag);
        else reader.skip();
      }
      if (lengths[1] === 16) linkTraceId.elements.pushRange(reader.source, starts[1]);
      else linkTraceId.elements.pushZero();
      if (lengths[2] === 8) linkSpanId.elements.pushRange(reader.source, starts[2]);
      else linkSpanId.elements.pushZero();
      linkTraceState.elements.pushRange(reader.source, starts[3], lengths[3]);
      linkAttrs.elements.endRow();
    }
    linkTraceId.endRow();
    linkSpanId.endRow();
    linkTraceState.endRow();
    linkAttrs.endRow();
  }
}
