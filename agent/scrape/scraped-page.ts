/**
 * Turns the pages of one target into samples of its series, and knows the series of the last page by their bytes.
 *
 *   parse(page)          a known series costs a comparison with what stood after its predecessor last time
 *   writeTo(tracker)     only a page that was parsed to its end is written
 *
 * A series' labels are parsed when its text is new: target labels are added (job, instance), and a label of the page with
 * the same name is kept as exported_<name> (Prometheus' honor_labels: false).
 */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import { ByteDictionary } from '#wire/remote-write/byte-dictionary.ts';
import { failAt } from './exposition-error.ts';
import {
  type ExpositionFormat,
  type ExpositionSink,
  type MetadataKind,
  parseExposition,
} from './exposition-parser.ts';
import { MetricFamilies } from './metric-families.ts';
import { parseSeriesText } from './series-text.ts';
import type { SeriesTracker } from './series-tracker.ts';

export interface PageCounts {
  readonly samples: number;
  readonly exemplars: number;
}

/** Texts over twice the last page's that may pile up: targets that write labels in changing order make new ones. */
const staleTextsMax = 4096;

const noPage = new Uint8Array(0);
const noPageView = new DataView(noPage.buffer);

export class ScrapedPage implements ExpositionSink {
  readonly #tracker: SeriesTracker;
  readonly #targetLabels: Labels;
  readonly #samplesMax: number;
  readonly #families = new MetricFamilies();
  /** Series texts as they stood in pages. */
  readonly #texts = new ByteDictionary();
  #seriesOfText: number[] = [];
  /** The text that stood behind each text last time, or -1. */
  #textAfter: number[] = [];
  #firstText = -1;
  #previousText = -1;
  #expectedText = -1;
  #expectedStart = -1;
  #expectedEnd = -1;

  #page: Uint8Array = noPage;
  #view: DataView = noPageView;
  // One entry per sample of the page.
  #series: number[] = [];
  #values: number[] = [];
  #timestampsMs: number[] = [];
  /** Series that have no metadata yet. */
  #newSeries: number[] = [];
  #isUndescribed = false;

  constructor(tracker: SeriesTracker, targetLabels: Labels, samplesMax: number) {
    this.#tracker = tracker;
    this.#targetLabels = targetLabels;
    this.#samplesMax = samplesMax;
  }

  /** Parses a page, which may change afterwards. Throws ExpositionError, and then writeTo is forbidden. */
  parse(page: Uint8Array, format: ExpositionFormat): PageCounts {
    this.#page = page;
    this.#view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    this.#series = [];
    this.#values = [];
    this.#timestampsMs = [];
    this.#previousText = -1;
    const exemplars = parseExposition(page, format, this);
    this.#page = noPage;
    this.#view = noPageView;
    this.#describeSeries();
    return { samples: this.#series.length, exemplars };
  }

  /** Writes the parsed page into the tracker's run. Returns how many samples were second ones of their series. */
  writeTo(tracker: SeriesTracker): number {
    let duplicates = 0;
    for (let i = 0; i < this.#series.length; i++) {
      if (!tracker.write(this.#series[i]!, this.#values[i]!, this.#timestampsMs[i]!)) duplicates++;
    }
    if (this.#texts.count > this.#series.length * 2 + staleTextsMax) this.forgetTexts();
    return duplicates;
  }

  /** Must be called when the tracker has renumbered its series. */
  forgetTexts(): void {
    this.#texts.clear();
    this.#seriesOfText = [];
    this.#textAfter = [];
    this.#firstText = -1;
    this.#newSeries = [];
    this.#isUndescribed = true;
  }

  expectSeries(start: number): number {
    this.#expectedStart = -1;
    const text = this.#previousText < 0 ? this.#firstText : this.#textAfter[this.#previousText]!;
    if (text < 0 || !this.#texts.startsWith(text, this.#page, this.#view, start, this.#page.length))
      return -1;
    this.#expectedText = text;
    this.#expectedStart = start;
    this.#expectedEnd = start + this.#texts.end(text) - this.#texts.start(text);
    return this.#expectedEnd;
  }

  sample(start: number, end: number, value: number, timestampMs: number): void {
    if (this.#series.length === this.#samplesMax) {
      failAt(this.#page, start, `the page has more than ${this.#samplesMax} samples, the limit of a scrape`);
    }
    const isExpected = start === this.#expectedStart && end === this.#expectedEnd;
    const text = isExpected ? this.#expectedText : this.#textNumber(start, end);
    if (this.#previousText < 0) this.#firstText = text;
    else this.#textAfter[this.#previousText] = text;
    this.#previousText = text;
    this.#series.push(this.#seriesOfText[text]!);
    this.#values.push(value);
    this.#timestampsMs.push(timestampMs);
  }

  knowsMetadata(start: number, end: number): boolean {
    return this.#families.knows(this.#page, this.#view, start, end);
  }

  metadata(kind: MetadataKind, name: string, text: string, start: number, end: number): void {
    this.#families.set(kind, name, text, { page: this.#page, view: this.#view, start, end });
  }

  #textNumber(start: number, end: number): number {
    const known = this.#texts.find(this.#page, this.#view, start, end);
    if (known >= 0) return known;
    const labels = parseSeriesText(this.#page, start, end);
    const countBefore = this.#tracker.seriesCount;
    const series = this.#tracker.seriesOf(withTargetLabels(labels, this.#targetLabels));
    if (series === countBefore) this.#newSeries.push(series);
    const text = this.#texts.intern(this.#page, this.#view, start, end);
    this.#seriesOfText[text] = series;
    this.#textAfter[text] = -1;
    return text;
  }

  #describeSeries(): void {
    const isChanged = this.#families.endPage();
    const undescribed = isChanged || this.#isUndescribed ? this.#series : this.#newSeries;
    for (const series of undescribed) {
      const metric = this.#tracker.labels(series).find(([name]) => name === metricNameLabel);
      const family = metric && this.#families.of(metric[1]);
      if (family) this.#tracker.setMetadata(series, family.type, family.help, family.unit);
    }
    this.#newSeries = [];
    this.#isUndescribed = false;
  }
}

/** Returns the labels of a page's series with its target's, which win. */
export function withTargetLabels(labels: ReadonlyMap<string, string>, targetLabels: Labels): Labels {
  const merged = new Map(targetLabels);
  const renamed: [string, string][] = [];
  for (const [name, value] of labels) {
    if (value === '') continue;
    if (merged.has(name)) renamed.push([name, value]);
    else merged.set(name, value);
  }
  for (const [name, value] of renamed) {
    let free = `exported_${name}`;
    while (merged.has(free) || (labels.get(free) ?? '') !== '') free = `exported_${free}`;
    merged.set(free, value);
  }
  return sortLabels(merged);
}
