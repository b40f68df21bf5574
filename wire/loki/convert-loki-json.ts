/**
 * Loki's push request in JSON to an OTLP logs request.
 *
 *   {"streams": [{"stream": {"app": "shop"}, "values": [["1700000000000000000", "hi", {"user": "7"}]]}]}
 *
 * The form of Loki's first API is read too: `labels` as text, and `entries` of `{ts, line}` with RFC 3339 times. A
 * stream whose labels are not valid loses its entries, counted; anything else that is wrong refuses the request, with
 * its path: `streams[0].values[3]`.
 */
import { DecodeError, errorMessage, RefusedError } from '#model/errors.ts';
import { type Conversion, type ConversionTask, conversionLimit } from '../conversion/conversion.ts';
import { IntegerWords } from '../json/integer-words.ts';
import { JsonCursor } from '../json/json-cursor.ts';
import { writeTokenField } from '../json/token-field.ts';
import { beginMessage, endMessage } from '../protobuf/message-writer.ts';
import { parseLabelText, type StreamLabels } from './label-text.ts';
import { StreamWriter } from './stream-writer.ts';

export function convertLokiJson(task: ConversionTask): Conversion {
  return new LokiJsonReader(task).read(task.bytes);
}

type EntriesKey = 'values' | 'entries';

class LokiJsonReader {
  readonly #cursor = new JsonCursor();
  readonly #time = new IntegerWords();
  readonly #streams: StreamWriter;
  #path = '';

  constructor(task: ConversionTask) {
    this.#streams = new StreamWriter(task.bytes.length + 256, conversionLimit(task));
  }

  read(bytes: Uint8Array): Conversion {
    const cursor = this.#cursor;
    try {
      cursor.begin(bytes);
      cursor.enterObject();
      while (cursor.nextKey()) {
        if (cursor.text() === 'streams') this.#readStreams();
        else cursor.skipValue();
      }
      cursor.expectEnd();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new RefusedError(`${this.#path}${this.#path && ': '}${error.message}`, 400, { cause: error });
    }
    return {
      bytes: new Uint8Array(this.#streams.writer.written()),
      rejections: this.#streams.tally.rejections(),
      ignored: 0,
      isClocked: false,
    };
  }

  #readStreams(): void {
    const cursor = this.#cursor;
    if (cursor.takeNull()) return;
    cursor.enterArray();
    for (let index = 0; cursor.nextElement(); index++) {
      this.#path = `streams[${index}]`;
      this.#readStream(`streams[${index}]`);
    }
    this.#path = '';
  }

  /** Entries may come before the labels: they are stepped over first and read when the labels are known. */
  #readStream(path: string): void {
    const cursor = this.#cursor;
    let labels: StreamLabels = [];
    let fault = '';
    let entriesKey: EntriesKey = 'values';
    let entriesPosition = -1;
    cursor.enterObject();
    while (cursor.nextKey()) {
      const key = cursor.text();
      if (key === 'stream') labels = this.#readPairs();
      else if (key === 'labels') {
        cursor.readString();
        try {
          labels = parseLabelText(cursor.text());
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
          fault = errorMessage(error);
        }
      } else {
        if (key === 'values' || key === 'entries') {
          entriesKey = key;
          entriesPosition = cursor.position;
        }
        cursor.skipValue();
      }
    }
    fault ||= this.#streams.beginStream(labels);
    const after = cursor.position;
    if (entriesPosition !== -1) {
      cursor.position = entriesPosition;
      const count = cursor.takeNull() ? 0 : this.#readEntries(path, entriesKey, fault === '');
      if (fault !== '') this.#streams.tally.add('labels', count, `${path}: error parsing labels: ${fault}`);
    }
    if (fault === '') this.#streams.endStream();
    cursor.position = after;
  }

  /** Returns the number of entries. */
  #readEntries(path: string, key: EntriesKey, isWritten: boolean): number {
    const cursor = this.#cursor;
    let count = 0;
    cursor.enterArray();
    for (; cursor.nextElement(); count++) {
      this.#path = `${path}.${key}[${count}]`;
      if (!isWritten) cursor.skipValue();
      else if (key === 'values') this.#readValue();
      else this.#readEntry();
    }
    this.#path = path;
    return count;
  }

  // value => [ time line metadata? ]
  #readValue(): void {
    const cursor = this.#cursor;
    cursor.enterArray();
    this.#expectElement('a timestamp');
    cursor.readString();
    this.#time.parse(cursor.bytes, cursor.start, cursor.end, false);
    const isTimed = this.#beginRecord();
    this.#expectElement('a line');
    cursor.readString();
    if (isTimed) this.#writeBody();
    if (cursor.nextElement()) {
      const metadata = cursor.takeNull() ? [] : this.#readPairs();
      if (isTimed) for (const [name, value] of metadata) this.#streams.addMetadata(name, value);
      while (cursor.nextElement()) cursor.skipValue();
    }
    if (isTimed) this.#streams.endRecord();
  }

  #expectElement(what: string): void {
    if (!this.#cursor.nextElement()) {
      throw new DecodeError(`an entry ends where ${what} should be`, this.#cursor.position);
    }
  }

  /** Of Loki's first API: the fields come in any order. */
  #readEntry(): void {
    const cursor = this.#cursor;
    let line = '';
    this.#time.setBillions(0, 0);
    cursor.enterObject();
    while (cursor.nextKey()) {
      const key = cursor.text();
      if (key !== 'ts' && key !== 'line') {
        cursor.skipValue();
        continue;
      }
      cursor.readString();
      if (key === 'line') line = cursor.text();
      else if (!readRfc3339(cursor.text(), this.#time)) {
        throw new DecodeError('"ts" must be a time as in RFC 3339', cursor.start);
      }
    }
    if (!this.#beginRecord()) return;
    this.#streams.writeBody(Buffer.from(line));
    this.#streams.endRecord();
  }

  /** Returns false where the entry has no time; it is counted then. OTLP would take a zero for "unknown". */
  #beginRecord(): boolean {
    const { low, high } = this.#time;
    if (low === 0 && high === 0) {
      this.#streams.tally.add('timestamp', 1, `${this.#path}: the entry has no timestamp`);
      return false;
    }
    this.#streams.beginRecord(low, high);
    return true;
  }

  #writeBody(): void {
    const { writer } = this.#streams;
    const body = beginMessage(writer, 5);
    writeTokenField(writer, 1, this.#cursor);
    endMessage(writer, body);
  }

  /** An object of texts. Of equal names the last one holds, as in JSON. */
  #readPairs(): [string, string][] {
    const cursor = this.#cursor;
    const pairs = new Map<string, string>();
    cursor.enterObject();
    while (cursor.nextKey()) {
      const name = cursor.text();
      cursor.readString();
      pairs.set(name, cursor.text());
    }
    return [...pairs];
  }
}

const rfc3339 = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:\d\d)$/;

function readRfc3339(text: string, time: IntegerWords): boolean {
  const match = rfc3339.exec(text);
  if (match === null) return false;
  const seconds = Date.parse(`${match[1]!.replace(/[t ]/, 'T')}${match[3]!.toUpperCase()}`) / 1000;
  return seconds >= 0 && time.setBillions(seconds, Number((match[2] ?? '').padEnd(9, '0')));
}
