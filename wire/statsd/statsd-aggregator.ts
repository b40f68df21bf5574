/**
 * Adds StatsD lines up, and gives the totals as remote write 2.0 requests.
 *
 *   add('hits:1|c|@0.1|#a:b'); render(t)  ->  hits{a="b"} 10 at t, and with every later render
 *
 * Counters become cumulative counters, gauges gauges, timers (in seconds) and histograms classic histograms, sets a gauge of
 * the different members since the last render. A series without lines for staleMs ends with a stale marker, and begins
 * anew after that. A line of a known series makes neither objects nor strings.
 */
import type { Labels } from '#model/labels.ts';
import { ByteWriter } from '../protobuf/byte-writer.ts';
import { ByteDictionary } from '../remote-write/byte-dictionary.ts';
import { type MetricType, RequestEncoder } from '../remote-write/request-encoder.ts';
import { statsdLabels, withName } from './statsd-labels.ts';
import {
  createStatsdLine,
  parseDecimal,
  parseStatsdLine,
  type StatsdLine,
  type StatsdProblem,
  type StatsdType,
} from './statsd-line.ts';

export interface StatsdAggregatorOptions {
  /** Of series in Prometheus: a histogram is as many as its buckets, and three more. */
  readonly seriesMax: number;
  readonly staleMs: number;
  /** Upper bounds, growing, without the infinite one. */
  readonly buckets: readonly number[];
  /** Different members of a set between two renders. */
  readonly setMembersMax: number;
  readonly requestBytesMax: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Why a line, or a value of it, is left out. */
export type StatsdLoss =
  | Exclude<StatsdProblem, ''>
  | 'series_limit'
  | 'set_limit'
  | 'type_conflict'
  | 'negative_counter';

export interface StatsdRequest {
  readonly bytes: Uint8Array;
  readonly samples: number;
}

const metricType: Readonly<Record<StatsdType, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  timer: 'histogram',
  histogram: 'histogram',
  set: 'gauge',
};
/** A member of a set is text of its own: longer ones are cut. */
const memberBytesMax = 256;

/** What a request's series may take of its size; the rest is for metadata, and the last series of it. */
const seriesShare = 0.8;

interface Series {
  encoder: RequestEncoder;
  readonly type: StatsdType;
  readonly name: string;
  readonly labels: Labels;
  /** In the encoder: one, or the buckets, the infinite one, sum and count. */
  ids: number[];
  metadata: number;
  /** A counter's total, a gauge's value, a histogram's sum. */
  value: number;
  /** A histogram's observations by bucket, not cumulative; the last is the infinite one. */
  readonly counts: Float64Array;
  readonly members: Set<string> | undefined;
  lastMs: number;
}

export class StatsdAggregator {
  readonly #options: StatsdAggregatorOptions;
  readonly #line = createStatsdLine();
  readonly #key = new ByteWriter(1024);
  /** Name, type and tags as they came -> index in #series. */
  #keys = new ByteDictionary();
  #series: (Series | undefined)[] = [];
  /** Each holds as many series as one request may: every request carries the texts of all series of its encoder. */
  #encoders: RequestEncoder[] = [];
  /** By Prometheus name: one name has one type. */
  readonly #types = new Map<string, { type: MetricType; count: number }>();
  /** By labels: tags in another order are the same series. */
  readonly #byLabels = new Map<string, Series>();
  #promSeries = 0;
  #dead = 0;

  constructor(options: StatsdAggregatorOptions) {
    this.#options = options;
  }

  /** Series in Prometheus. */
  get seriesCount(): number {
    return this.#promSeries;
  }

  /** Spellings of a series (tags in another order) are keys of their own, and bounded with them. */
  get #keysMax(): number {
    return 2 * this.#options.seriesMax;
  }

  /** Adds bytes[from, to), a line without its newline. Returns '' or why it was left out, wholly or in part. */
  add(bytes: Buffer, from: number, to: number, nowMs: number): StatsdLoss | '' {
    const line = this.#line;
    parseStatsdLine(bytes, from, to, line);
    if (line.problem !== '') return line.problem;
    const found = this.#find(bytes, line);
    if (typeof found === 'string') return found;
    found.lastMs = nowMs;
    let loss: StatsdLoss | '' = '';
    for (let at = line.valuesFrom; at <= line.valuesTo; ) {
      let end = at;
      while (end < line.valuesTo && bytes[end] !== 0x3a) end++;
      loss = this.#addValue(found, bytes, at, end, line.rate) || loss;
      at = end + 1;
    }
    return loss;
  }

  /** Returns the state of every series at a time, and ends those that have been silent for too long. */
  render(nowMs: number): StatsdRequest[] {
    const requests: StatsdRequest[] = [];
    const ended = new Set<Series | undefined>();
    for (const series of this.#byLabels.values()) {
      if (nowMs - series.lastMs > this.#options.staleMs) {
        this.#end(series, nowMs);
        ended.add(series);
      } else this.#write(series, nowMs);
    }
    for (const encoder of this.#encoders) {
      const samples = encoder.sampleCount;
      if (samples > 0) requests.push({ bytes: encoder.finish(), samples });
    }
    if (ended.size > 0) this.#bury(ended);
    return requests;
  }

  #find(bytes: Buffer, line: StatsdLine): Series | StatsdLoss {
    const key = this.#key;
    key.clear();
    key.reserve(line.nameTo - line.nameFrom + line.tagsTo - line.tagsFrom + 2);
    key.position += bytes.copy(key.bytes, 0, line.nameFrom, line.nameTo);
    key.bytes[key.position++] = 0x7c;
    key.bytes[key.position++] = line.type.charCodeAt(0);
    key.position += bytes.copy(key.bytes, key.position, line.tagsFrom, line.tagsTo);
    const known = this.#keys.find(key.bytes, key.view, 0, key.position);
    const series = known < 0 ? undefined : this.#series[known];
    if (series !== undefined) return series;
    // A line without a value that counts makes no series.
    const loss = firstValueLoss(bytes, line);
    if (loss !== '') return loss;
    const made = this.#make(bytes, line);
    if (typeof made === 'string') return made;
    const index = this.#keys.intern(key.bytes, key.view, 0, key.position);
    if (index < this.#series.length) this.#dead--;
    this.#series[index] = made;
    return made;
  }

  #make(bytes: Buffer, line: StatsdLine): Series | StatsdLoss {
    const { labels: common, buckets, seriesMax } = this.#options;
    const { name, labels } = statsdLabels(
      bytes.toString('utf8', line.nameFrom, line.nameTo),
      bytes.toString('utf8', line.tagsFrom, line.tagsTo),
      common,
    );
    const identity = JSON.stringify([name, labels]);
    const type = metricType[line.type];
    const named = this.#types.get(name);
    if (named !== undefined && named.type !== type) return 'type_conflict';
    if (this.#keys.count >= this.#keysMax) return 'series_limit';
    const same = this.#byLabels.get(identity);
    // A timer and a histogram, or a gauge and a set, of one name: values of two units.
    if (same !== undefined) return same.type === line.type ? same : 'type_conflict';
    const isHistogram = type === 'histogram';
    const count = isHistogram ? buckets.length + 3 : 1;
    if (this.#promSeries + count > seriesMax) return 'series_limit';
    this.#promSeries += count;
    this.#types.set(name, { type, count: (named?.count ?? 0) + 1 });
    const series: Series = {
      encoder: this.#encoderWithRoom(),
      type: line.type,
      name,
      labels,
      ids: [],
      metadata: 0,
      value: 0,
      counts: new Float64Array(isHistogram ? buckets.length + 1 : 0),
      members: line.type === 'set' ? new Set() : undefined,
      lastMs: 0,
    };
    this.#announce(series);
    this.#byLabels.set(identity, series);
    return series;
  }

  #encoderWithRoom(): RequestEncoder {
    const last = this.#encoders.at(-1);
    if (last !== undefined && last.fullRequestBytes < this.#options.requestBytesMax * seriesShare)
      return last;
    const encoder = new RequestEncoder();
    this.#encoders.push(encoder);
    return encoder;
  }

  #announce(series: Series): void {
    const { encoder, name, labels, type } = series;
    series.metadata = encoder.addMetadata(metricType[type], '', '');
    if (metricType[type] !== 'histogram') {
      series.ids = [encoder.addSeries(withName(name, labels))];
      return;
    }
    const bounds = [...this.#options.buckets.map(String), '+Inf'];
    series.ids = [
      ...bounds.map((bound) => encoder.addSeries(withName(`${name}_bucket`, labels, ['le', bound]))),
      encoder.addSeries(withName(`${name}_sum`, labels)),
      encoder.addSeries(withName(`${name}_count`, labels)),
    ];
  }

  #addValue(series: Series, bytes: Buffer, from: number, to: number, rate: number): StatsdLoss | '' {
    if (series.members !== undefined) {
      if (to === from) return 'value';
      const member = bytes.toString('utf8', from, Math.min(to, from + memberBytesMax));
      if (series.members.size >= this.#options.setMembersMax && !series.members.has(member))
        return 'set_limit';
      series.members.add(member);
      return '';
    }
    const value = parseDecimal(bytes, from, to);
    if (Number.isNaN(value)) return 'value';
    switch (series.type) {
      case 'gauge': {
        const isRelative = bytes[from] === 0x2b || bytes[from] === 0x2d;
        series.value = isRelative ? series.value + value : value;
        return '';
      }
      case 'counter':
        if (value < 0) return 'negative_counter';
        series.value += value / rate;
        return '';
      default:
        this.#observe(series, series.type === 'timer' ? value / 1000 : value, 1 / rate);
        return '';
    }
  }

  #observe(series: Series, value: number, weight: number): void {
    const { buckets } = this.#options;
    let bucket = 0;
    while (bucket < buckets.length && value > buckets[bucket]!) bucket++;
    series.counts[bucket]! += weight;
    series.value += value * weight;
  }

  #write(series: Series, nowMs: number): void {
    const { encoder, ids, metadata, counts, members } = series;
    if (members !== undefined) {
      series.value = members.size;
      members.clear();
    }
    if (counts.length === 0) {
      encoder.writeSample(ids[0]!, metadata, series.value, nowMs);
      return;
    }
    let total = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      total += counts[bucket]!;
      encoder.writeSample(ids[bucket]!, metadata, total, nowMs);
    }
    encoder.writeSample(ids[counts.length]!, metadata, series.value, nowMs);
    encoder.writeSample(ids[counts.length + 1]!, metadata, total, nowMs);
  }

  #end(series: Series, nowMs: number): void {
    for (const id of series.ids) series.encoder.writeStaleMarker(id, nowMs);
    this.#promSeries -= series.ids.length;
    this.#byLabels.delete(JSON.stringify([series.name, series.labels]));
    const named = this.#types.get(series.name)!;
    if (--named.count === 0) this.#types.delete(series.name);
  }

  #bury(ended: ReadonlySet<Series | undefined>): void {
    for (let index = 0; index < this.#series.length; index++) {
      if (this.#series[index] === undefined || !ended.has(this.#series[index])) continue;
      this.#series[index] = undefined;
      this.#dead++;
    }
    const isFull = this.#keys.count >= this.#keysMax;
    if (isFull || this.#dead >= this.#series.length / 2) this.#forgetDead();
  }

  /** Dictionaries only grow: those of the living are made anew. */
  #forgetDead(): void {
    const [keys, all] = [this.#keys, this.#series];
    this.#keys = new ByteDictionary();
    this.#series = [];
    this.#encoders = [];
    this.#dead = 0;
    for (const series of this.#byLabels.values()) {
      series.encoder = this.#encoderWithRoom();
      this.#announce(series);
    }
    all.forEach((series, index) => {
      if (series === undefined) return;
      this.#keys.intern(keys.arena, keys.arenaView, keys.start(index), keys.end(index));
      this.#series.push(series);
    });
  }
}

function firstValueLoss(bytes: Buffer, { type, valuesFrom, valuesTo }: StatsdLine): StatsdLoss | '' {
  let end = valuesFrom;
  while (end < valuesTo && bytes[end] !== 0x3a) end++;
  if (type === 'set') return end === valuesFrom ? 'value' : '';
  const value = parseDecimal(bytes, valuesFrom, end);
  if (Number.isNaN(value)) return 'value';
  return type === 'counter' && value < 0 ? 'negative_counter' : '';
}
