/**
 * The part of a tracker's series that travels in one remote write 2.0 request, run after run.
 *
 *   const up = part.addSeries(texts, noMetadata); part.writeSample(up, 1, 1_700_000_000_000, 0); part.finish()
 *
 * What does not fit into a series' message (series-messages.ts) goes behind all of them as a message of its own: a second
 * sample, a start time, exemplars, a histogram.
 *
 *   Request => symbols:4 string* timeseries:5 TimeSeries*        (io.prometheus.write.v2)
 */
import type { Labels } from '#model/labels.ts';
import {
  appendBytes,
  ByteWriter,
  varintBytes,
  varintBytesMax,
  writeVarint,
} from '#wire/protobuf/byte-writer.ts';
import { writeTextField, writeVarintField } from '#wire/protobuf/message-writer.ts';
import { writeSampleField, writeStaleSampleField } from '#wire/remote-write/record-fields.ts';
import { type MetricType, metricTypes } from '#wire/remote-write/request-encoder.ts';
import { type LabelTexts, TextEncoding } from './label-texts.ts';
import { RequestSymbols } from './request-symbols.ts';
import { SeriesMessages, tagTimeseries } from './series-messages.ts';

/** What TYPE, HELP and UNIT say about a metric. */
export interface MetricDescription {
  readonly type: MetricType;
  readonly help: string;
  readonly unit?: string;
}

const symbolsField = 4;
const tagMetadata = 0x2a;
/** The most bytes of one unit of a JavaScript string. */
const utf8BytesMax = 3;

const encoding = new TextEncoding();
/** A labels_refs or metadata payload, for all parts. */
const scratch = new ByteWriter();
/** What follows the messages of a request. Thousands of parts need it one after the other. */
const idleWriters: ByteWriter[] = [];
const idleWritersMax = 16;
const idleWriterBytesMax = 4 * 1024 * 1024;
/** A writer that is not begun. Nothing is written to it. */
const noWriter = new ByteWriter(0);

let partCount = 0;

export class RequestPart {
  /** The tracker's number of the first series. */
  readonly base: number;
  readonly #number = ++partCount;
  readonly #symbols = new RequestSymbols();
  readonly #messages = new SeriesMessages();
  readonly #metadataNumbers = new Map<string, number>();
  /** Bytes of symbols that came with metadata. */
  #helpBytes = 0;
  #behind = noWriter;
  #behindCount = 0;
  /** Symbols of this request alone, behind the ones that stay. */
  readonly #passing = new Map<string, number>();
  #passingField = noWriter;

  constructor(base: number) {
    this.base = base;
  }

  /** Whether this request has symbols of its own: none that stays can be added before finish. */
  get hasPassingSymbols(): boolean {
    return this.#passing.size > 0;
  }

  /** Samples, histograms and stale markers since the last finish. */
  get sampleCount(): number {
    return this.#messages.writtenCount + this.#behindCount;
  }

  /** At least the bytes of the request if it were finished now. */
  get requestBytes(): number {
    const inPlace = this.#messages.writtenCount > 0 ? this.#messages.byteLength : 0;
    return this.#symbols.byteLength + this.#passingField.position + inPlace + this.#behind.position;
  }

  /** Bytes of the request that carries one sample of every series, without what metadata has added to its symbols. */
  get seriesBytes(): number {
    return this.#symbols.byteLength - this.#helpBytes + this.#messages.byteLength;
  }

  /** Adds a series and returns its number here. Equal labels must not be added twice. */
  addSeries(texts: LabelTexts, metadata: number): number {
    scratch.clear();
    scratch.reserve(texts.count * varintBytesMax);
    for (let text = 0; text < texts.count; text++) writeVarint(scratch, this.#refOf(texts, text));
    return this.#messages.add(scratch.bytes, scratch.position, metadata);
  }

  /** Whether a series has exactly these labels. */
  hasLabels(series: number, texts: LabelTexts): boolean {
    const messages = this.#messages;
    let at = messages.refsStart(series);
    const end = messages.refsEnd(series);
    for (let text = 0; text < texts.count; text++) {
      if (at >= end) return false;
      const ref = messages.refAt(at);
      at += varintBytes(ref);
      if (!this.#symbols.isText(ref, texts.viewOf(text), texts.starts[text]!, texts.ends[text]!))
        return false;
    }
    return at === end;
  }

  labels(series: number): Labels {
    const messages = this.#messages;
    const labels: [string, string][] = [];
    for (let at = messages.refsStart(series); at < messages.refsEnd(series); ) {
      const name = messages.refAt(at);
      at += varintBytes(name);
      const value = messages.refAt(at);
      at += varintBytes(value);
      labels.push([this.#symbols.text(name), this.#symbols.text(value)]);
    }
    return labels;
  }

  /** Returns the value of one label of a series; '' where it has none. */
  labelValue(series: number, label: string): string {
    const messages = this.#messages;
    for (let at = messages.refsStart(series); at < messages.refsEnd(series); ) {
      const name = messages.refAt(at);
      at += varintBytes(name);
      const value = messages.refAt(at);
      at += varintBytes(value);
      if (this.#symbols.text(name) === label) return this.#symbols.text(value);
    }
    return '';
  }

  /** Returns the number of a description. Help for which `helpBytesMax` has no room is left out. */
  addMetadata({ type, help, unit = '' }: MetricDescription, helpBytesMax: number): number {
    const known = this.#metadataNumbers.get(metadataKey(type, help, unit));
    if (known !== undefined) return known;
    const sent = this.#helpBytes + help.length * utf8BytesMax < helpBytesMax ? help : '';
    const bytesBefore = this.#symbols.byteLength;
    const [helpRef, unitRef] = [this.#symbolOf(sent), this.#symbolOf(unit)];
    this.#helpBytes += this.#symbols.byteLength - bytesBefore;
    scratch.clear();
    if (type !== 'unknown') writeVarintField(scratch, 1, metricTypes[type]);
    if (helpRef > 0) writeVarintField(scratch, 3, helpRef);
    if (unitRef > 0) writeVarintField(scratch, 4, unitRef);
    const field = Uint8Array.from([tagMetadata, scratch.position, ...scratch.written()]);
    const number = this.#messages.metadataFields.push(field) - 1;
    this.#metadataNumbers.set(metadataKey(type, help, unit), number);
    return number;
  }

  /** Says what the metric of a series is: a number of addMetadata. */
  setMetadata(series: number, metadata: number): void {
    this.#messages.setMetadata(series, metadata);
  }

  /** Says what time most samples of the requests that follow will have. */
  beginRun(timestampMs: number): void {
    this.#messages.prepare(timestampMs);
  }

  /** Returns the number of a text that only this request mentions, such as a trace id: finish forgets it. */
  passingSymbol(text: string): number {
    const texts = encoding.text(text);
    const staying = this.#symbols.find(texts.view, texts.starts[0]!, texts.ends[0]!, texts.hashes[0]!);
    if (staying >= 0) return staying;
    const known = this.#passing.get(text);
    if (known !== undefined) return known;
    const ref = this.#symbols.count + this.#passing.size;
    this.#passing.set(text, ref);
    if (this.#passingField === noWriter) this.#passingField = takeWriter();
    writeTextField(this.#passingField, symbolsField, text);
    return ref;
  }

  /**
   * Adds a sample to the request; any NaN is sent as a plain NaN. `startMs` is since when a counter counts, 0 where that is
   * not known. Returns whether requestBytes has grown.
   */
  writeSample(series: number, value: number, timestampMs: number, startMs: number): boolean {
    if (startMs === 0 && this.#messages.write(series, value, timestampMs)) {
      return this.#messages.writtenCount === 1;
    }
    const fields = takeWriter();
    writeSampleField(fields, value, timestampMs, startMs);
    this.writeFields(series, fields);
    giveBack(fields);
    return true;
  }

  /** Adds the marker which says that a series of samples, which the request does not have, has ended. */
  writeStaleMarker(series: number, timestampMs: number): void {
    if (this.#messages.writeStale(series, timestampMs)) return;
    const fields = takeWriter();
    writeStaleSampleField(fields, timestampMs);
    this.writeFields(series, fields);
    giveBack(fields);
  }

  /** Adds a series with one sample or histogram and its exemplars: the bytes of these fields, from record-fields.ts. */
  writeFields(series: number, fields: ByteWriter): void {
    const messages = this.#messages;
    if (this.#behind === noWriter) this.#behind = takeWriter();
    const behind = this.#behind;
    const labels = messages.labelsField(series);
    const metadata = messages.metadataField(messages.metadata(series));
    behind.reserve(2 * varintBytesMax);
    writeVarint(behind, tagTimeseries);
    writeVarint(behind, labels.length + fields.position + metadata.length);
    appendBytes(behind, labels);
    appendBytes(behind, fields.written());
    appendBytes(behind, metadata);
    messages.leave(series);
    this.#behindCount++;
  }

  /** Returns the request with all samples since the last call, and starts the next one. */
  finish(): Uint8Array {
    const [symbols, passing, behind] = [this.#symbols.written(), this.#passingField, this.#behind];
    const messagesAt = symbols.length + passing.position;
    const request = new Uint8Array(messagesAt + this.#messages.writtenBytes() + behind.position);
    request.set(symbols);
    request.set(passing.written(), symbols.length);
    request.set(behind.written(), this.#messages.copyWritten(request, messagesAt));
    this.#messages.reset();
    this.#behindCount = 0;
    giveBack(behind);
    this.#behind = noWriter;
    giveBack(passing);
    this.#passingField = noWriter;
    this.#passing.clear();
    return request;
  }

  /** Gives up the memory that only adding series needs; they can be added all the same. */
  seal(): void {
    this.#symbols.seal();
    this.#messages.trim();
  }

  #refOf(texts: LabelTexts, text: number): number {
    const { constants } = texts;
    const constant = texts.constant[text]!;
    if (constant >= 0 && constants.requests[constant] === this.#number) return constants.refs[constant]!;
    const symbolsBefore = this.#symbols.count;
    const ref = this.#symbols.refOf(
      texts.bytesOf(text),
      texts.viewOf(text),
      texts.starts[text]!,
      texts.ends[text]!,
      texts.hashes[text]!,
    );
    if (this.hasPassingSymbols && this.#symbols.count > symbolsBefore) {
      throw new Error('BUG: a symbol that stays came behind passing ones');
    }
    if (constant >= 0) {
      constants.refs[constant] = ref;
      constants.requests[constant] = this.#number;
    }
    return ref;
  }

  #symbolOf(text: string): number {
    return this.#refOf(encoding.text(text), 0);
  }
}

function metadataKey(type: MetricType, help: string, unit: string): string {
  return `${type}\n${unit}\n${help}`;
}

function takeWriter(): ByteWriter {
  return idleWriters.pop() ?? new ByteWriter();
}

function giveBack(writer: ByteWriter): void {
  if (writer === noWriter) return;
  writer.clear();
  if (idleWriters.length < idleWritersMax && writer.bytes.length <= idleWriterBytesMax)
    idleWriters.push(writer);
}
