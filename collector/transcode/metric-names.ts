/**
 * The Prometheus names of OTLP metrics that were met before, by the bytes of name, unit and kind: translating a name
 * takes strings, and the same few hundred come every ten seconds.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { Hash64 } from './byte-hash.ts';
import { KeyTable } from './key-table.ts';
import { type MetricKind, prometheusMetricName, prometheusUnit } from './metric-name.ts';
import type { TranslationStrategy } from './metric-translation.ts';
import { textBytes } from './resource-scope.ts';

/** Names that a worker remembers; when there are more, it starts anew. */
const metricNamesMax = 1 << 14;

/** A metric's series names. The suffixed ones are for histograms and summaries. */
export interface MetricNames {
  /** '' where no character of the OTLP name can be kept. */
  readonly base: ByteView;
  readonly bucket: ByteView;
  readonly sum: ByteView;
  readonly count: ByteView;
  readonly unit: ByteView;
}

const utf8 = new TextDecoder();

export class MetricNameCache {
  readonly #keys = new KeyTable(metricNamesMax);
  readonly #names: MetricNames[] = [];
  readonly #hash = new Hash64();
  readonly #strategy: TranslationStrategy;

  constructor(strategy: TranslationStrategy) {
    this.#strategy = strategy;
  }

  get(
    source: ByteView,
    nameStart: number,
    nameEnd: number,
    unitStart: number,
    unitEnd: number,
    kind: MetricKind,
  ): MetricNames {
    const hash = this.#hash;
    hash.begin();
    hash.addRange(source, nameStart, nameEnd - nameStart);
    hash.addRange(source, unitStart, unitEnd - unitStart);
    hash.addWord(kind.charCodeAt(0));
    hash.finish();
    const known = this.#keys.find(hash.low, hash.high);
    if (known !== -1) return this.#names[known];
    if (this.#keys.isFull) this.#keys.clear();
    const entry = this.#keys.add(hash.low, hash.high);
    const unit = utf8.decode(source.bytes.subarray(unitStart, unitEnd));
    const name = utf8.decode(source.bytes.subarray(nameStart, nameEnd));
    const base = prometheusMetricName(name, unit, kind, this.#strategy);
    this.#names[entry] = {
      base: textBytes(base),
      bucket: textBytes(`${base}_bucket`),
      sum: textBytes(`${base}_sum`),
      count: textBytes(`${base}_count`),
      unit: textBytes(prometheusUnit(unit)),
    };
    return this.#names[entry];
  }
}
