/**
 * The messages of Prometheus remote write 2.0: labels and texts are numbers of symbols, which come once per request.
 *
 *   TimeSeries => labels_refs:uint32* (1) samples:Sample* (2) histograms:Histogram* (3) exemplars:Exemplar* (4)
 *                 metadata:Metadata (5) created_timestamp:int64 ms (6)
 *   Metadata   => type:enum (1) help_ref:uint32 (3) unit_ref:uint32 (4)
 *
 * Since 2.0-rc.4 samples and histograms say themselves since when they count, and field 6 is reserved; senders of
 * before still send it.
 */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { CacheKey } from './cache-key.ts';
import { exemplarCountRefusal } from './exemplar-rules.ts';
import type { LabelSet } from './label-set.ts';
import { describeFamily, familyName } from './metric-family.ts';
import { RangeList } from './range-list.ts';
import { twoTo32 } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';
import type { LabelReader, SampleRun } from './sample-run.ts';
import { metricNameKey, type SeriesRefusal } from './series-rules.ts';
import type { SeriesSink } from './series-sink.ts';

const noSymbols = new RangeList();
const metricName = new CacheKey();
metricName.begin();
metricName.addRange(metricNameKey, 0, metricNameKey.bytes.length);
metricName.finish();
const { low: metricNameLow, high: metricNameHigh } = metricName;

export class RemoteWrite2 implements LabelReader {
  readonly #reader: ProtobufReader;
  readonly #series: SeriesSink;
  readonly #run: SampleRun;
  readonly #hash = new CacheKey();
  #symbols: RangeList = noSymbols;
  /** Key of each symbol, taken once: a label then costs two of them. */
  #symbolLows = new Int32Array(0);
  #symbolHighs = new Int32Array(0);
  /** The symbols' numbers, name and value in turn. */
  #refs = new Int32Array(64);
  #refCount = 0;
  #refusal: SeriesRefusal | undefined;
  #metricRef = 0;
  readonly #metadata = new RangeList();

  constructor(reader: ProtobufReader, series: SeriesSink, run: SampleRun) {
    this.#reader = reader;
    this.#series = series;
    this.#run = run;
  }

  /** `symbols` must stay as it is until the request's last series was read. Throws where it breaks the protocol. */
  beginRequest(symbols: RangeList): void {
    const { source } = this.#reader;
    const hash = this.#hash;
    if (symbols.count === 0) throw new DecodeError('a remote write 2.0 request has no symbols', 0);
    if (symbols.ends[0] !== symbols.starts[0]) {
      throw new DecodeError('the first symbol must be the empty string', symbols.starts[0]);
    }
    this.#symbols = symbols;
    if (this.#symbolLows.length < symbols.count) {
      this.#symbolLows = new Int32Array(symbols.starts.length);
      this.#symbolHighs = new Int32Array(symbols.starts.length);
    }
    for (let symbol = 0; symbol < symbols.count; symbol++) {
      hash.begin();
      hash.addRange(source, symbols.starts[symbol], symbols.ends[symbol] - symbols.starts[symbol]);
      hash.finish();
      this.#symbolLows[symbol] = hash.low;
      this.#symbolHighs[symbol] = hash.high;
    }
  }

  /** Appends the samples of the TimeSeries that the reader is at. */
  readTimeSeries(tally: RequestTally): void {
    const reader = this.#reader;
    const run = this.#run;
    this.#refCount = 0;
    this.#refusal = undefined;
    this.#metadata.clear();
    run.beginSeries();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        const outer = reader.enter();
        while (reader.position < reader.limit) this.#addRef(reader.readVarint());
        reader.leave(outer);
      } else if (tag === 0x08) this.#addRef(reader.readVarint());
      else if (tag === 0x12) run.keep(run.samples);
      else if (tag === 0x2a) run.keep(this.#metadata);
      else if (tag === 0x1a) run.keep(run.histograms);
      else if (tag === 0x22) run.keep(run.exemplars);
      else if (tag === 0x30) {
        reader.readVarint64();
        run.startMs = (reader.high | 0) * twoTo32 + reader.low;
      } else reader.skip();
    }
    if (this.#refCount % 2 !== 0) {
      this.#refusal ??= { reason: 'invalid_labels_refs', message: 'a label has a name and no value' };
    }
    if (this.#refusal !== undefined) {
      run.refuse(this.#refusal, tally);
      return;
    }
    this.#hashLabels();
    if (run.write(this, tally)) this.#describe(tally);
    // Metadata alone has no series to announce, and is described all the same.
    else if (run.recordCount === 0 && this.#metadata.count > 0 && run.checkLabels(this, tally)) {
      this.#describe(tally);
    }
  }

  #addRef(ref: number): void {
    if (ref >= this.#symbols.count) {
      this.#refusal ??= {
        reason: 'invalid_labels_refs',
        message: `a label refers to symbol ${ref} of ${this.#symbols.count}`,
      };
      return;
    }
    if (this.#refCount === this.#refs.length) {
      const refs = new Int32Array(this.#refCount * 2);
      refs.set(this.#refs);
      this.#refs = refs;
    }
    this.#refs[this.#refCount++] = ref;
  }

  #hashLabels(): void {
    const { hash } = this.#run;
    const refs = this.#refs;
    const lows = this.#symbolLows;
    const highs = this.#symbolHighs;
    for (let i = 0; i < this.#refCount; i += 2) {
      const name = refs[i];
      const value = refs[i + 1];
      hash.addPair(lows[name], highs[name]);
      hash.addPair(lows[value], highs[value]);
      if (lows[name] === metricNameLow && highs[name] === metricNameHigh) this.#setMetric(value);
    }
  }

  #setMetric(symbol: number): void {
    const { starts, ends } = this.#symbols;
    // To Prometheus an empty label is none, so this is not the name.
    if (ends[symbol] === starts[symbol]) return;
    this.#metricRef = symbol;
    this.#run.setMetric(starts[symbol], ends[symbol] - starts[symbol]);
  }

  fillLabels(): void {
    for (let i = 0; i < this.#refCount; i += 2) this.#addLabel(this.#run.labels, i);
  }

  fillExemplarLabels(fields: RangeList): SeriesRefusal | undefined {
    const reader = this.#reader;
    // Behind the series' own numbers, which are needed again where it is announced.
    const first = this.#refCount;
    this.#refusal = undefined;
    for (let i = 0; i < fields.count; i++) {
      reader.seek(fields.starts[i], fields.ends[i]);
      while (reader.position < fields.ends[i]) this.#addRef(reader.readVarint());
    }
    const count = this.#refCount - first;
    this.#refCount = first;
    const tooMany = exemplarCountRefusal(count / 2);
    if (tooMany !== undefined) return tooMany;
    if (count % 2 === 0 && this.#refusal === undefined) {
      for (let i = first; i < first + count; i += 2) this.#addLabel(this.#run.exemplarLabels, i);
      return undefined;
    }
    return { reason: 'exemplar_invalid_labels', message: 'the labels of an exemplar refer to no symbols' };
  }

  /** Adds the label whose name is number `i` of the numbers that were read. */
  #addLabel(to: LabelSet, i: number): void {
    const { source } = this.#reader;
    const { starts, ends } = this.#symbols;
    const name = this.#refs[i];
    const value = this.#refs[i + 1];
    const valueLength = ends[value] - starts[value];
    // To Prometheus an empty label is none.
    if (valueLength === 0) return;
    to.add(source, starts[name], ends[name] - starts[name], source, starts[value], valueLength);
  }

  /** Appends the metadata of the series that was just announced. */
  #describe(tally: RequestTally): void {
    const reader = this.#reader;
    const last = this.#metadata.count - 1;
    if (last < 0) return;
    let type = 0;
    let help = 0;
    let unit = 0;
    reader.seek(this.#metadata.starts[last], this.#metadata.ends[last]);
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) type = reader.readVarint();
      else if (tag === 0x18) help = reader.readVarint();
      else if (tag === 0x20) unit = reader.readVarint();
      else reader.skip();
    }
    if (type === 0 && help === 0 && unit === 0) return;
    if (help >= this.#symbols.count || unit >= this.#symbols.count) {
      tally.reject(
        'invalid_metadata',
        `metadata refers to symbol ${Math.max(help, unit)} of ${this.#symbols.count}`,
      );
      return;
    }
    const name = familyName(this.#symbolBytes(this.#metricRef), type);
    const family = { name, type, help: this.#symbolBytes(help), unit: this.#symbolBytes(unit) };
    describeFamily(this.#series, family, tally);
  }

  #symbolBytes(symbol: number): Uint8Array {
    return this.#reader.source.bytes.subarray(this.#symbols.starts[symbol], this.#symbols.ends[symbol]);
  }
}
