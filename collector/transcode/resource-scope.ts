/**
 * What OTLP says once for many records: the resource's attributes and the scope's name and version.
 *
 * They are read into scratch memory when they are met, which may be before or after the records they belong to, and
 * written when the group is complete: one row, then repeated by memcpy.
 */
import { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeReader } from './any-value.ts';
import { equalBytes } from './byte-copy.ts';
import type { LowCardinalityColumn } from './column-low-cardinality.ts';
import type { MapColumn } from './column-map.ts';
import { LabelSet } from './label-set.ts';

const encoder = new TextEncoder();
/** Text that we bring ourselves, as bytes. */
export function textBytes(text: string): ByteView {
  return new ByteView(encoder.encode(text));
}

const serviceNameKey = textBytes('service.name');
/** OpenTelemetry resource conventions: service.name is required, and this stands in for it. */
const serviceNameDefault = textBytes('unknown_service');

export class ResourceScope {
  /** The resource's attributes, in the order of the request. */
  readonly attributes = new LabelSet();
  /** Number of the pair that is service.name, or -1. */
  #servicePair = -1;
  /** Scope name and version, in the request. */
  #nameStart = 0;
  #nameLength = 0;
  #versionStart = 0;
  #versionLength = 0;
  readonly #reader: ProtobufReader;
  readonly #values: AttributeReader;

  constructor(reader: ProtobufReader, values: AttributeReader) {
    this.#reader = reader;
    this.#values = values;
  }

  beginResource(): void {
    this.attributes.clear();
    this.#servicePair = -1;
  }

  // Resource => attributes:KeyValue* (1)
  /** Reads the Resource whose length comes next. */
  readResource(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    const end = reader.limit;
    while (reader.position < end) {
      if (reader.readTag() !== 0x0a) {
        reader.skip();
        continue;
      }
      const length = reader.readLength();
      const start = reader.position;
      this.#addAttribute(start, start + length);
      reader.seek(start + length, end);
    }
    reader.leave(outer);
  }

  #addAttribute(start: number, end: number): void {
    const values = this.#values;
    values.readKeyValue(start, end);
    const source = this.#reader.source;
    const { keyStart, keyLength } = values;
    if (
      keyLength === serviceNameKey.bytes.length &&
      values.valueLength > 0 &&
      equalBytes(source, keyStart, serviceNameKey, 0, keyLength)
    ) {
      this.#servicePair = this.attributes.count;
    }
    this.attributes.add(
      source,
      keyStart,
      keyLength,
      values.valueSource,
      values.valueStart,
      values.valueLength,
    );
  }

  beginScope(): void {
    this.#nameLength = 0;
    this.#versionLength = 0;
  }

  // InstrumentationScope => name:string (1) version:string (2)
  /** Reads the InstrumentationScope whose length comes next. */
  readScope(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        this.#nameLength = reader.readLength();
        this.#nameStart = reader.position;
        reader.position += this.#nameLength;
      } else if (tag === 0x12) {
        this.#versionLength = reader.readLength();
        this.#versionStart = reader.position;
        reader.position += this.#versionLength;
      } else reader.skip();
    }
    reader.leave(outer);
  }

  /** Appends the scope's name and version for `rowCount` rows. */
  writeScope(name: LowCardinalityColumn, version: LowCardinalityColumn, rowCount: number): void {
    if (rowCount === 0) return;
    const source = this.#reader.source;
    name.pushRepeated(name.dictionary.indexOf(source, this.#nameStart, this.#nameLength), rowCount);
    version.pushRepeated(
      version.dictionary.indexOf(source, this.#versionStart, this.#versionLength),
      rowCount,
    );
  }

  /** Appends the resource's attributes and service for `rowCount` rows. */
  writeResource(
    labels: MapColumn<LowCardinalityColumn>,
    service: LowCardinalityColumn,
    rowCount: number,
  ): void {
    if (rowCount === 0) return;
    const attributes = this.attributes;
    for (let pair = 0; pair < attributes.count; pair++) {
      const text = attributes.text.data;
      labels.pushKey(text, attributes.nameStarts[pair], attributes.nameLengths[pair]);
      labels.values.pushRange(text, attributes.valueStarts[pair], attributes.valueLengths[pair]);
    }
    labels.endRowRepeated(rowCount);
    const pair = this.#servicePair;
    const index =
      pair === -1
        ? service.dictionary.indexOf(serviceNameDefault, 0, serviceNameDefault.bytes.length)
        : service.dictionary.indexOf(
            attributes.text.data,
            attributes.valueStarts[pair],
            attributes.valueLengths[pair],
          );
    service.pushRepeated(index, rowCount);
  }
}
