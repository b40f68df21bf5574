/**
 * The series texts of a target's pages as they stood there, and what each of them is. A text is usually met behind the
 * same predecessor as last time: `after` says which that was.
 */
import { ByteDictionary } from '#wire/remote-write/byte-dictionary.ts';
import { grown } from './series-columns.ts';

/** Instead of the number of a series: relabeling drops it. */
export const droppedText = -1;
/** Instead of the number of a series, minus its group: an OpenMetrics line that says since when the group counts. */
export const createdText = -2;
/** Instead of the number of a series, minus that of a HistogramLine: it is a part of a histogram that is converted. */
export const partText = -(2 ** 30);
/** The group of a text that has none. */
export const noGroup = -1;

const textsMin = 64;

export class PageTexts {
  readonly bytes = new ByteDictionary();
  series = new Int32Array(textsMin);
  /** The text that stood behind each text last time, or -1. */
  after = new Int32Array(textsMin);
  /** Samples of one counter, histogram or summary are a group: they have one start time. Empty while no text has one. */
  groups = new Int32Array(0);
  #trimmedCount = 0;

  get count(): number {
    return this.bytes.count;
  }

  /** Adds a text that was looked up and not found, and returns its number. */
  add(source: Uint8Array, view: DataView, start: number, end: number, series: number, group: number): number {
    const text = this.bytes.append(source, view, start, end);
    if (text === this.series.length) this.#grow();
    this.series[text] = series;
    this.after[text] = -1;
    if (group !== noGroup && this.groups.length === 0) {
      this.groups = new Int32Array(this.series.length).fill(noGroup);
    }
    if (this.groups.length > 0) this.groups[text] = group;
    return text;
  }

  group(text: number): number {
    return this.groups.length === 0 ? noGroup : this.groups[text]!;
  }

  clear(): void {
    this.bytes.clear();
  }

  /** Gives up most of the memory that is kept for more texts. To be called when a page had no new ones. */
  trim(): void {
    if (this.#trimmedCount === this.count) return;
    this.#trimmedCount = this.count;
    this.bytes.trim();
    const length = Math.max(this.count, textsMin);
    this.series = this.series.slice(0, length);
    this.after = this.after.slice(0, length);
    this.groups = this.groups.slice(0, length);
  }

  #grow(): void {
    const length = this.series.length * 2;
    this.series = grown(this.series, new Int32Array(length));
    this.after = grown(this.after, new Int32Array(length));
    if (this.groups.length > 0) this.groups = grown(this.groups, new Int32Array(length).fill(noGroup));
  }
}
