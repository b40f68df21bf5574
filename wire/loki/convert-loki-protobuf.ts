/**
 * Loki's push request in protobuf (uncompressed) to an OTLP logs request.
 *
 *   PushRequest => streams:1*                        (logproto)
 *   Stream      => labels:1 text entries:2* hash:3
 *   Entry       => timestamp:1 line:2 structuredMetadata:3* parsed:4*     Timestamp => seconds:1 nanos:2
 *   LabelPair   => name:1 value:2
 *
 * A stream whose labels are not valid loses its entries, counted. `parsed` is what Loki itself found in a line on its
 * way out: it is left out. Lines that are not UTF-8 get U+FFFD where they are not, as Loki shows them.
 */
import { isUtf8 } from 'node:buffer';
import { DecodeError, errorMessage, RefusedError } from '#model/errors.ts';
import { type Conversion, type ConversionTask, conversionLimit } from '../conversion/conversion.ts';
import { IntegerWords } from '../json/integer-words.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import { parseLabelText } from './label-text.ts';
import { StreamWriter } from './stream-writer.ts';

const tagLabels = 0x0a;
const tagEntries = 0x12;
const tagTimestamp = 0x0a;
const tagLine = 0x12;
const tagMetadata = 0x1a;

const noBytes: Buffer = Buffer.alloc(0);

export function convertLokiProtobuf(task: ConversionTask): Conversion {
  return new LokiProtobufReader(task).read(task.bytes);
}

class LokiProtobufReader {
  readonly #reader = new ProtobufReader();
  readonly #time = new IntegerWords();
  readonly #streams: StreamWriter;
  #bytes: Buffer = noBytes;

  constructor(task: ConversionTask) {
    this.#streams = new StreamWriter(task.bytes.length + 256, conversionLimit(task));
  }

  read(bytes: Uint8Array): Conversion {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const reader = this.#reader;
    reader.begin(bytes);
    try {
      for (let index = 0; reader.position < reader.limit; ) {
        if (reader.readTag() === 0x0a) this.#readStream(index++);
        else reader.skip();
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new RefusedError(`the push request could not be decoded: ${error.message}`, 400, {
        cause: error,
      });
    }
    return {
      bytes: new Uint8Array(this.#streams.writer.written()),
      rejections: this.#streams.tally.rejections(),
      ignored: 0,
      isClocked: false,
    };
  }

  /** Twice over the stream's bytes: the labels must be known before the first entry is written. */
  #readStream(index: number): void {
    const reader = this.#reader;
    const outer = reader.enter();
    const [start, end] = [reader.position, reader.limit];
    let labelText = '';
    let entryCount = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === tagLabels) labelText = this.#readText();
      else {
        if (tag === tagEntries) entryCount++;
        reader.skip();
      }
    }
    const fault = this.#beginStream(labelText);
    if (fault !== '') {
      this.#streams.tally.add(
        'labels',
        entryCount,
        `stream ${index}: error parsing labels ${labelText}: ${fault}`,
      );
    } else {
      reader.seek(start, end);
      for (let entry = 0; reader.position < reader.limit; ) {
        if (reader.readTag() === tagEntries) this.#readEntry(index, entry++);
        else reader.skip();
      }
      this.#streams.endStream();
    }
    reader.leave(outer);
  }

  #beginStream(labelText: string): string {
    try {
      return this.#streams.beginStream(parseLabelText(labelText));
    } catch (error) {
      if (error instanceof DecodeError) return errorMessage(error);
      throw error;
    }
  }

  #readEntry(streamIndex: number, entryIndex: number): void {
    const reader = this.#reader;
    const outer = reader.enter();
    let line: Uint8Array = noBytes;
    const metadata: [string, string][] = [];
    let isTimed = false;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === tagTimestamp) isTimed = this.#readTimestamp();
      else if (tag === tagLine) line = this.#readUtf8();
      else if (tag === tagMetadata) metadata.push(this.#readPair());
      else reader.skip();
    }
    reader.leave(outer);
    const { low, high } = this.#time;
    if (!isTimed || (low === 0 && high === 0)) {
      const message = `stream ${streamIndex}, entry ${entryIndex}: the entry has no timestamp after 1970`;
      this.#streams.tally.add('timestamp', 1, message);
      return;
    }
    this.#streams.beginRecord(low, high);
    this.#streams.writeBody(line);
    for (const [name, value] of metadata) this.#streams.addMetadata(name, value);
    this.#streams.endRecord();
  }

  /** Returns false on a time that OTLP cannot hold. */
  #readTimestamp(): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    let seconds = 0;
    let nanos = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) seconds = reader.readVarint();
      else if (tag === 0x10) nanos = reader.readVarint();
      else reader.skip();
    }
    reader.leave(outer);
    return seconds < 1e11 && nanos < 1e9 && this.#time.setBillions(seconds, nanos);
  }

  #readPair(): [string, string] {
    const reader = this.#reader;
    const outer = reader.enter();
    let name = '';
    let value = '';
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) name = this.#readText();
      else if (tag === 0x12) value = this.#readText();
      else reader.skip();
    }
    reader.leave(outer);
    return [name, value];
  }

  #readUtf8(): Uint8Array {
    const length = this.#reader.readLength();
    const start = this.#reader.position;
    this.#reader.position = start + length;
    const bytes = this.#bytes.subarray(start, start + length);
    return isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'));
  }

  #readText(): string {
    const bytes = this.#readUtf8();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }
}
