/**
 * Turns the pages of one target into samples of its series, and knows the series of the last page by their bytes.
 *
 *   parse(page)          a known series costs a comparison with what stood after its predecessor last time
 *   writeTo(tracker)     only a page that was parsed to its end is written; nothing else may happen in between
 *
 * A series' labels are parsed, relabeled and checked when its text is new (series-admission.ts).
 */
import { type Labels, labelValue, metricNameLabel } from '#model/labels.ts';
import type { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import type { MetricType } from '#wire/remote-write/request-encoder.ts';
import { normalizeBound } from './bound-label.ts';
import { ExemplarMemory, type PageExemplar, type SeriesExemplars, textExemplar } from './exemplar-memory.ts';
import { failAt } from './exposition-error.ts';
import {
  type ExpositionFormat,
  type ExpositionSink,
  type MetadataKind,
  parseExposition,
} from './exposition-parser.ts';
import {
  HistogramConversion,
  type HistogramLine,
  histogramLabels,
  histogramPart,
} from './histogram-conversion.ts';
import { KnownLines } from './known-lines.ts';
import { LabelReader } from './label-reader.ts';
import { LabelShapes } from './label-shapes.ts';
import { isSameText, LabelTexts } from './label-texts.ts';
import { MetricFamilies, type MetricFamily } from './metric-families.ts';
import { PageSamples } from './page-samples.ts';
import { createdText, droppedText, noGroup, PageTexts, partText } from './page-texts.ts';
import { parseProtobufPage } from './protobuf/metric-page.ts';
import type { HistogramSettings, LabelSource, MetricSink } from './protobuf/metric-reader.ts';
import { type AdmissionSettings, admitSeries, SeriesLimitError } from './series-admission.ts';
import { parseSeriesText, textOf } from './series-text.ts';
import type { SeriesTracker } from './series-tracker.ts';
import { groupText, hasStarts, StartGroups } from './start-groups.ts';
import { type SampleRefusals, writeSamples } from './write-samples.ts';

export type PageFormat = ExpositionFormat | 'protobuf';

export type PageSettings = AdmissionSettings & HistogramSettings & { readonly isHonoringTimestamps: boolean };

export interface PageCounts {
  /** Samples on the page, whatever became of them. */
  readonly samples: number;
  /** Samples that relabeling has left. */
  readonly kept: number;
}

/** Texts over twice the last page's that may pile up: targets that write labels in changing order make new ones. */
const staleTextsMax = 4096;
/** A page with more is no page of a target but a mistake, whatever its limits say: some hundred bytes each. */
const pageSamplesMax = 5_000_000;

const noExemplars: SeriesExemplars = { fresh: [], shown: [] };
const noPage = new Uint8Array(0);
const noPageView = new DataView(noPage.buffer);
/** Of the page that is being parsed or written, which is one at a time. */
const samples = new PageSamples();
const knownLines = new KnownLines();
/** The labels of the series that is being added. */
const texts = new LabelTexts();

export class ScrapedPage implements ExpositionSink, MetricSink {
  readonly #tracker: SeriesTracker;
  readonly #settings: PageSettings;
  /** By the names that metrics have in the page. */
  readonly families = new MetricFamilies();
  readonly #texts = new PageTexts();
  readonly #reader: LabelReader;
  readonly #starts = new StartGroups();
  readonly #exemplars = new ExemplarMemory();
  readonly #conversion = new HistogramConversion();
  /** Names that the page gave to series which relabeling has renamed: metadata goes by them. */
  readonly #pageNames = new Map<number, string>();
  #format: PageFormat = 'text';
  #firstText = -1;
  #previousText = -1;
  #expectedText = -1;
  #expectedStart = -1;
  #expectedEnd = -1;
  /** The series text whose labels the reader has. */
  #readStart = -1;
  #readEnd = -1;

  #page: Uint8Array = noPage;
  #view: DataView = noPageView;
  #sampleCount = 0;
  /** Samples of the last page that was good to its end. */
  #writtenCount = 0;
  #keptCount = 0;
  #samplesMax = 0;
  #pageExemplars: PageExemplar[] = [];
  /** Whether all series of the page have asked what their metric is while it was read. */
  #isFresh = false;
  #isOutdated = false;
  /** What was asked last: the metric's name as it stands in the page. */
  #familyStart = 0;
  #familyEnd = 0;
  #family: MetricFamily | undefined;

  constructor(tracker: SeriesTracker, settings: PageSettings) {
    this.#tracker = tracker;
    this.#settings = settings;
    this.#reader = new LabelReader(new LabelShapes(settings.targetLabels, settings.isHonoringLabels));
  }

  /**
   * Parses a page, which may change afterwards. Throws ExpositionError, and then writeTo is forbidden. So it is where more
   * samples are kept than the limit: the counts are complete then too.
   */
  parse(page: Uint8Array, format: PageFormat): PageCounts {
    const textsMax = Math.max(this.#sampleCount, this.#writtenCount) * 2 + staleTextsMax;
    if (format !== this.#format || this.#isOutdated || this.#texts.count > textsMax) this.forgetTexts();
    this.#format = format;
    this.#page = page;
    this.#view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    this.#sampleCount = 0;
    this.#keptCount = 0;
    this.#samplesMax = Math.min(this.#settings.limits.samples || pageSamplesMax, pageSamplesMax);
    this.#previousText = -1;
    this.#pageExemplars = [];
    samples.begin(this);
    this.#starts.beginPage();
    this.families.beginPage();
    this.#conversion.beginPage();
    this.#familyEnd = 0;
    this.#isFresh = this.#texts.count === 0;
    const textsBefore = this.#texts.count;
    try {
      if (format === 'protobuf') parseProtobufPage(page, this.#settings, this);
      else parseExposition(page, format, this);
      this.#endHistogram(page.length);
    } finally {
      this.#page = noPage;
      this.#view = noPageView;
    }
    this.#describeSeries();
    if (this.#texts.count === textsBefore) this.#texts.trim();
    return { samples: this.#sampleCount, kept: this.#keptCount };
  }

  /** The most samples of a page. */
  get samplesMax(): number {
    return this.#samplesMax;
  }

  /** Writes the parsed page into the tracker's run. Returns which samples it did not take. */
  writeTo(tracker: SeriesTracker, nowMs: number): SampleRefusals {
    if (samples.owner !== this) throw new Error('BUG: another page was parsed before this one was written');
    const { isHonoringTimestamps } = this.#settings;
    const refused = writeSamples(samples, tracker, this.#starts, this.#exemplars, {
      isHonoringTimestamps,
      nowMs,
    });
    this.#exemplars.endPage();
    this.#writtenCount = this.#sampleCount;
    samples.begin(noPage);
    return refused;
  }

  /** Must be called when the tracker has renumbered its series. */
  forgetTexts(): void {
    this.#texts.clear();
    this.#starts.clear();
    this.#exemplars.clear();
    this.#conversion.clear();
    this.#pageNames.clear();
    this.#firstText = -1;
    this.#isOutdated = false;
  }

  knownLines(start: number): number {
    knownLines.previous = this.#previousText;
    const countMax = this.#samplesMax - this.#keptCount;
    const end = knownLines.read(
      this.#page,
      this.#view,
      start,
      this.#texts,
      this.#firstText,
      samples,
      countMax,
    );
    this.#sampleCount += knownLines.count;
    this.#keptCount += knownLines.count;
    this.#previousText = knownLines.previous;
    return end;
  }

  expectSeries(start: number): number {
    this.#expectedStart = -1;
    this.#readStart = -1;
    const [page, view] = [this.#page, this.#view];
    const text = this.#previousText < 0 ? this.#firstText : this.#texts.after[this.#previousText]!;
    const { bytes } = this.#texts;
    if (text >= 0 && bytes.startsWith(text, page, view, start, page.length)) {
      this.#expectedText = text;
      this.#expectedStart = start;
      this.#expectedEnd = start + bytes.end(text) - bytes.start(text);
      return this.#expectedEnd;
    }
    if (this.#settings.relabel) return -1;
    this.#readEnd = this.#reader.read(page, view, start);
    if (this.#readEnd >= 0) this.#readStart = start;
    return this.#readEnd;
  }

  sample(start: number, end: number, value: number, timestampMs: number): void {
    const isExpected = start === this.#expectedStart && end === this.#expectedEnd;
    const text = isExpected ? this.#expectedText : this.#textNumber(start, end);
    if (this.#previousText < 0) this.#firstText = text;
    else this.#texts.after[this.#previousText] = text;
    this.#previousText = text;
    const series = this.#texts.series[text]!;
    const part = series <= partText ? this.#conversion.line(partText - series) : undefined;
    if (this.#conversion.isOtherThan(part)) this.#endHistogram(start);
    if (part) this.#takePart(part, value, timestampMs);
    else if (series <= createdText) this.#starts.set(createdText - series, value);
    else this.add(series, value, timestampMs, -1 - this.#texts.group(text));
  }

  exemplar(start: number, labelsEnd: number, end: number, value: number, timestampMs: number): void {
    this.addExemplar(textExemplar(this.#page, start, labelsEnd, end, value, timestampMs));
  }

  knowsMetadata(start: number, end: number): boolean {
    return this.families.knows(this.#page, this.#view, start, end);
  }

  metadata(kind: MetadataKind, name: string, text: string, start: number, end: number): void {
    this.#familyEnd = 0;
    this.families.set(kind, name, text, { page: this.#page, view: this.#view, start, end });
  }

  family(name: string, type: MetricType, help: string, unit: string): void {
    this.families.set('type', name, type);
    this.families.set('help', name, help);
    this.families.set('unit', name, unit);
  }

  seriesOf(key: ByteWriter, source: LabelSource): number {
    const known = this.#texts.bytes.find(key.bytes, key.view, 0, key.position);
    if (known >= 0) return this.#texts.series[known]!;
    const labels = source.readLabels();
    const series = this.#admit(labels, 0, this.families.of(labels.get(metricNameLabel)!));
    this.#texts.add(key.bytes, key.view, 0, key.position, series, noGroup);
    return series;
  }

  /** Takes a sample with the exemplars that came before it. */
  add(series: number, value: number, timestampMs: number, startMs: number, histogram?: Uint8Array): void {
    const exemplars = this.#pageExemplars;
    if (exemplars.length > 0) this.#pageExemplars = [];
    this.#sampleCount++;
    if (series === droppedText) return;
    this.#keptCount++;
    if (this.#keptCount > this.#samplesMax) return;
    const known = exemplars.length === 0 ? noExemplars : this.#exemplars.fresh(series, exemplars);
    if (known.fresh.length > 0 || histogram) {
      samples.rich.push({ index: samples.count, histogram, ...known });
    }
    samples.add(series, value, timestampMs, startMs);
  }

  addExemplar(exemplar: PageExemplar): void {
    this.#pageExemplars.push(exemplar);
  }

  #textNumber(start: number, end: number): number {
    const [page, view] = [this.#page, this.#view];
    const known = this.#texts.bytes.find(page, view, start, end);
    if (known >= 0) return known;
    const isRead = start === this.#readStart && end === this.#readEnd;
    return (isRead ? this.#addRead(start, end) : undefined) ?? this.#addText(start, end);
  }

  /** Adds a series whose labels the reader has. Returns undefined where they are over a limit. */
  #addRead(start: number, end: number): number | undefined {
    const reader = this.#reader;
    const [page, view] = [this.#page, this.#view];
    const family = this.#familyAt(start, reader.nameEnd);
    let group = noGroup;
    // Their parts are few: the code that makes strings adds them.
    if (this.#settings.isConvertingClassicHistograms && family?.type === 'histogram') return undefined;
    if (family) {
      reader.normalizeBound(family.type);
      if (this.#format === 'openmetrics' && hasStarts(family)) {
        group = this.#starts.groupOf(reader.groupText(), family);
        if (textOf(page, start, reader.nameEnd) === `${family.name}_created`) {
          return this.#texts.add(page, view, start, end, createdText - group, noGroup);
        }
      }
    }
    if (!reader.fill(texts, this.#settings.limits)) return undefined;
    const series = this.#tracker.seriesOfTexts(texts, family);
    return this.#texts.add(page, view, start, end, series, group);
  }

  #addText(start: number, end: number): number {
    const [page, view] = [this.#page, this.#view];
    const labels = parseSeriesText(page, start, end);
    const metric = labels.get(metricNameLabel)!;
    const family = this.families.of(metric);
    const isGrouped = this.#format === 'openmetrics' && family !== undefined && hasStarts(family);
    const group = isGrouped ? this.#starts.groupOf(groupText(labels), family) : noGroup;
    if (isGrouped && metric === `${family.name}_created`) {
      return this.#texts.add(page, view, start, end, createdText - group, noGroup);
    }
    if (family) normalizeBound(labels, family.type);
    const part = this.#settings.isConvertingClassicHistograms && family && histogramPart(labels, family);
    if (!part) return this.#texts.add(page, view, start, end, this.#admit(labels, start, family), group);
    const line = this.#conversion.add({
      ...part,
      group,
      series: this.#admit(histogramLabels(labels, family), start, family),
      classicSeries: this.#settings.isTakingClassicHistograms
        ? this.#admit(labels, start, family)
        : undefined,
    });
    return this.#texts.add(page, view, start, end, partText - line, noGroup);
  }

  #takePart(part: HistogramLine, value: number, timestampMs: number): void {
    const exemplars = this.#pageExemplars;
    const { classicSeries } = part;
    if (classicSeries !== undefined) this.add(classicSeries, value, timestampMs, -1 - part.group);
    this.#pageExemplars = [];
    this.#conversion.take(part, value, timestampMs, exemplars);
  }

  /** Takes the converted histogram whose lines have ended before `position`, if there is one. */
  #endHistogram(position: number): void {
    const converted = this.#conversion.end();
    if (!converted) return;
    const { bytes, series, timestampMs, group, exemplars, bucketCount } = converted;
    const bucketsMax = this.#settings.limits.nativeHistogramBuckets;
    if (bucketsMax > 0 && bucketCount > bucketsMax) {
      failAt(
        this.#page,
        position,
        `a histogram before has ${bucketCount} buckets, which cannot be merged: the limit is ${bucketsMax}`,
      );
    }
    // What has come already is of the next line.
    const next = this.#pageExemplars;
    this.#pageExemplars = [...exemplars];
    if (bytes) this.add(series, 0, timestampMs, -1 - group, bytes);
    this.#pageExemplars = next;
  }

  /** Returns the family of the metric whose name is [start, end). */
  #familyAt(start: number, end: number): MetricFamily | undefined {
    const isLast = isSameText(this.#view, start, end, this.#view, this.#familyStart, this.#familyEnd);
    if (!isLast) {
      this.#family = this.families.of(textOf(this.#page, start, end));
      this.#familyStart = start;
      this.#familyEnd = end;
    }
    return this.#family;
  }

  /** Returns the number of the series with these labels, or droppedText. */
  #admit(pageLabels: ReadonlyMap<string, string>, start: number, family: MetricFamily | undefined): number {
    let labels: Labels | undefined;
    try {
      labels = admitSeries(pageLabels, this.#settings);
    } catch (error) {
      if (!(error instanceof SeriesLimitError)) throw error;
      failAt(this.#page, start, error.message);
    }
    if (!labels) return droppedText;
    const series = this.#tracker.seriesOf(labels, family);
    if (this.#settings.relabel) {
      const pageName = pageLabels.get(metricNameLabel)!;
      if (labelValue(labels, metricNameLabel) !== pageName) this.#pageNames.set(series, pageName);
    }
    return series;
  }

  /** Describes series again where their families have changed since they asked. */
  #describeSeries(): void {
    const { isChanged, isTypeChanged, isOtherThanTold } = this.families.endPage();
    // What a text means depends on its family's type: the next page's texts are looked at anew.
    if (isTypeChanged) this.#isOutdated = true;
    if (this.#isFresh ? !isOtherThanTold : !isChanged) return;
    let lastMetric = '';
    let family: MetricFamily | undefined;
    for (const series of samples.series.subarray(0, samples.count)) {
      const metric = this.#pageNames.get(series) ?? this.#tracker.metricName(series);
      if (metric !== lastMetric) family = this.families.of(metric);
      lastMetric = metric;
      if (family) this.#tracker.setMetadata(series, family);
    }
  }
}
