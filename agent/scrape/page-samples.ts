/**
 * The samples of one page between parsing and writing, one entry each in typed arrays. Pages are parsed and written in one
 * go, so all targets of a process share one of these: memory for the largest page, not for all of them.
 */
import type { SeriesExemplars } from './exemplar-memory.ts';
import { grown } from './series-columns.ts';

/** What only few samples have. */
export interface RichSample extends SeriesExemplars {
  readonly index: number;
  /** What writeHistogramValue made; undefined for a sample with exemplars. */
  readonly histogram: Uint8Array | undefined;
}

const samplesMin = 1024;

export class PageSamples {
  count = 0;
  series = new Int32Array(samplesMin);
  values = new Float64Array(samplesMin);
  /** NaN where the page has none. */
  timestampsMs = new Float64Array(samplesMin);
  /** Since when a counter counts; 0 where that is not known, or -1 - group while a created line may follow. */
  startsMs = new Float64Array(samplesMin);
  /** In the order of their indexes. */
  rich: RichSample[] = [];
  /** Who filled it. */
  owner: object | undefined;

  begin(owner: object): void {
    this.owner = owner;
    this.count = 0;
    this.rich = [];
  }

  add(series: number, value: number, timestampMs: number, startMs: number): void {
    const index = this.count++;
    if (index === this.series.length) this.#grow();
    this.series[index] = series;
    this.values[index] = value;
    this.timestampsMs[index] = timestampMs;
    this.startsMs[index] = startMs;
  }

  #grow(): void {
    const length = this.series.length * 2;
    this.series = grown(this.series, new Int32Array(length));
    this.values = grown(this.values, new Float64Array(length));
    this.timestampsMs = grown(this.timestampsMs, new Float64Array(length));
    this.startsMs = grown(this.startsMs, new Float64Array(length));
  }
}
