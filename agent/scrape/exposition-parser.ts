/**
 * Walks a page of metrics in Prometheus text format 0.0.4 or OpenMetrics text 1.0, bytes in, one call per sample out.
 *
 *   # TYPE up gauge                     ->  metadata('type', 'up', 'gauge', ...)
 *   up{job="api"} 1 1700000000000       ->  sample(16, 29, 1, 1700000000000)
 *
 * Names and labels are not decoded here: the sink gets their place in the page, and can say first that it knows them.
 * A page is taken whole or not at all: the first error throws, and what the sink got before must be forgotten.
 * The formats' rules about the order and grouping of families are not enforced.
 */
import { type MetricType, metricTypes } from '#wire/remote-write/request-encoder.ts';
import { failAt } from './exposition-error.ts';
import { parseNumber } from './number-text.ts';
import {
  blanksEnd,
  labelSetEnd,
  metricNameEnd,
  quotedEnd,
  seriesTextEnd,
  shown,
  textOf,
  unescapeText,
  unquote,
} from './series-text.ts';

export type ExpositionFormat = 'text' | 'openmetrics';
export type MetadataKind = 'type' | 'help' | 'unit';

export interface ExpositionSink {
  /** Takes the lines from `start` on that it can read by itself. Returns where the first begins that it cannot. */
  knownLines(start: number): number;
  /** Returns the offset behind the series text at `start` if the sink has expected or read it there, else -1. */
  expectSeries(start: number): number;
  /** The exemplar [start, end) of the sample that comes next. Its labels are [start, labelsEnd). */
  exemplar(start: number, labelsEnd: number, end: number, value: number, timestampMs: number): void;
  /** A sample of the series whose text is [seriesStart, seriesEnd). `timestampMs` is NaN where the line has none. */
  sample(seriesStart: number, seriesEnd: number, value: number, timestampMs: number): void;
  /** Whether the metadata line [start, end) says what the sink knows already: it is not parsed then. */
  knowsMetadata(start: number, end: number): boolean;
  /** What the metadata line [start, end) says. `text` is a MetricType where `kind` is 'type'. */
  metadata(kind: MetadataKind, name: string, text: string, start: number, end: number): void;
}

const newline = 10;
const space = 32;
const tab = 9;
const hash = 35;
const quote = 34;
const braceOpen = 123;

/** Parses a page. Throws ExpositionError. */
export function parseExposition(page: Uint8Array, format: ExpositionFormat, sink: ExpositionSink): void {
  new PageWalk(page, format === 'openmetrics', sink).run();
}

class PageWalk {
  readonly #page: Uint8Array;
  readonly #isOpenMetrics: boolean;
  readonly #sink: ExpositionSink;
  #at = 0;
  #isEnded = false;

  constructor(page: Uint8Array, isOpenMetrics: boolean, sink: ExpositionSink) {
    this.#page = page;
    this.#isOpenMetrics = isOpenMetrics;
    this.#sink = sink;
  }

  run(): void {
    const page = this.#page;
    while (this.#at < page.length) {
      if (!this.#isEnded) this.#at = this.#sink.knownLines(this.#at);
      if (this.#at >= page.length) break;
      const byte = page[this.#at];
      if (this.#isEnded) failAt(page, this.#at, 'expected nothing after "# EOF"');
      if (byte === hash) this.#comment();
      else if (this.#isOpenMetrics || (byte !== newline && byte !== space && byte !== tab))
        this.#sampleLine();
      else this.#at++;
    }
    if (this.#isOpenMetrics && !this.#isEnded) {
      failAt(page, page.length, 'the page does not end with "# EOF": it was cut short');
    }
  }

  #sampleLine(): void {
    const page = this.#page;
    const seriesStart = this.#at;
    let seriesEnd = this.#sink.expectSeries(seriesStart);
    if (seriesEnd < 0 || page[seriesEnd] !== space || isBlankOrBrace(page[seriesEnd + 1])) {
      seriesEnd = seriesTextEnd(page, seriesStart, !this.#isOpenMetrics);
    }
    const valueStart = this.#separatorEnd(seriesEnd, 'a value');
    const valueEnd = tokenEnd(page, valueStart);
    const value = parseNumber(page, valueStart, valueEnd);
    this.#at = valueEnd;
    const timestampMs = this.#isOpenMetrics ? this.#openMetricsTail() : this.#textTail();
    this.#sink.sample(seriesStart, seriesEnd, value, timestampMs);
  }

  // tail => blank* [ timestamp blank* ] LF            (text 0.0.4; milliseconds)
  #textTail(): number {
    const page = this.#page;
    let timestampMs = Number.NaN;
    let at = blanksEnd(page, this.#at);
    if (at < page.length && page[at] !== newline) {
      const end = tokenEnd(page, at);
      timestampMs = parseMilliseconds(page, at, end);
      at = blanksEnd(page, end);
    }
    this.#endLine(at);
    return timestampMs;
  }

  // tail => [ SP timestamp ] [ SP "#" SP labels SP value [ SP timestamp ] ] LF       (OpenMetrics 1.0; seconds)
  #openMetricsTail(): number {
    const page = this.#page;
    let timestampMs = Number.NaN;
    let at = this.#at;
    if (page[at] === space && page[at + 1] !== hash) {
      const end = tokenEnd(page, at + 1);
      timestampMs = parseSeconds(page, at + 1, end);
      at = end;
    }
    if (page[at] === space && page[at + 1] === hash) at = this.#exemplar(at + 2);
    this.#endLine(at);
    return timestampMs;
  }

  #exemplar(start: number): number {
    const page = this.#page;
    const labelsAt = this.#separatorEnd(start, 'the labels of an exemplar');
    if (page[labelsAt] !== braceOpen)
      failAt(page, labelsAt, `expected "{" of an exemplar, not ${shown(page, labelsAt)}`);
    const labelsEnd = labelSetEnd(page, labelsAt, false, false);
    const valueAt = this.#separatorEnd(labelsEnd, 'the value of an exemplar');
    let at = tokenEnd(page, valueAt);
    const value = parseNumber(page, valueAt, at);
    let timestampMs = Number.NaN;
    if (page[at] === space) {
      const end = tokenEnd(page, at + 1);
      timestampMs = parseSeconds(page, at + 1, end);
      at = end;
    }
    this.#sink.exemplar(labelsAt, labelsEnd, at, value, timestampMs);
    return at;
  }

  #endLine(at: number): void {
    if (at < this.#page.length && this.#page[at] !== newline) {
      failAt(this.#page, at, `expected the end of the line, not ${shown(this.#page, at)}`);
    }
    this.#at = at + 1;
  }

  /** Returns the offset behind what separates two parts of a line: blanks, or exactly one space in OpenMetrics. */
  #separatorEnd(at: number, what: string): number {
    const end = this.#isOpenMetrics ? (this.#page[at] === space ? at + 1 : at) : blanksEnd(this.#page, at);
    if (end === at) failAt(this.#page, at, `expected a space before ${what}, not ${shown(this.#page, at)}`);
    return end;
  }

  // comment => "# " ( "HELP" | "TYPE" | "UNIT" ) " " name " " text LF  |  "# EOF" [ LF ]  |  "#" text LF (not in OpenMetrics)
  #comment(): void {
    const page = this.#page;
    const start = this.#at;
    let end = page.indexOf(newline, start);
    if (end < 0) end = page.length;
    this.#at = end + 1;
    if (this.#sink.knowsMetadata(start, end)) return;
    const wordAt = this.#isOpenMetrics ? start + 2 : blanksEnd(page, start + 1);
    const word = wordAt + 4 <= end ? String.fromCharCode(...page.subarray(wordAt, wordAt + 4)) : '';
    const kind = metadataKinds.get(word);
    const isSeparated = page[start + 1] === space || (!this.#isOpenMetrics && page[start + 1] === tab);
    if (isSeparated && kind && (kind !== 'unit' || this.#isOpenMetrics) && wordAt + 4 < end) {
      this.#metadata(kind, wordAt + 4, start, end);
    } else if (this.#isOpenMetrics) {
      this.#isEnded = end === start + 5 && textOf(page, start, end) === '# EOF';
      if (!this.#isEnded) failAt(page, start, 'expected HELP, TYPE, UNIT or EOF after "# " in OpenMetrics');
    }
  }

  #metadata(kind: MetadataKind, wordEnd: number, start: number, end: number): void {
    const page = this.#page;
    const nameAt = this.#isOpenMetrics ? wordEnd + 1 : blanksEnd(page, wordEnd);
    // In text format "# HELPFUL" and "# TYPE" without a name are plain comments.
    const isQuoted = page[nameAt] === quote;
    const nameEnd = isQuoted ? quotedEnd(page, nameAt) : metricNameEnd(page, nameAt);
    if (nameAt === wordEnd || nameEnd === nameAt) {
      if (this.#isOpenMetrics) failAt(page, start, `expected a metric name after ${kind.toUpperCase()}`);
      return;
    }
    const name = isQuoted ? unquote(page, nameAt, nameEnd) : textOf(page, nameAt, nameEnd);
    const textAt = nameEnd < end ? this.#separatorEnd(nameEnd, `the ${kind} of ${name}`) : end;
    const text = textOf(page, textAt, end);
    if (kind === 'type') {
      const type = parseMetricType(page, start, text.trim(), this.#isOpenMetrics);
      this.#sink.metadata(kind, name, type, start, end);
      return;
    }
    if (kind === 'unit' && text !== '' && !name.endsWith(`_${text}`)) {
      failAt(page, start, `the unit ${JSON.stringify(text)} is not the end of the metric name ${name}`);
    }
    this.#sink.metadata(kind, name, kind === 'help' ? unescapeText(text) : text.trim(), start, end);
  }
}

const metadataKinds = new Map<string, MetadataKind>([
  ['HELP', 'help'],
  ['TYPE', 'type'],
  ['UNIT', 'unit'],
]);

function parseMetricType(
  page: Uint8Array,
  position: number,
  text: string,
  isOpenMetrics: boolean,
): MetricType {
  if (text === 'untyped' && !isOpenMetrics) return 'unknown';
  if (Object.hasOwn(metricTypes, text)) return text as MetricType;
  return failAt(page, position, `${JSON.stringify(text.slice(0, 40))} is not a metric type`);
}

function parseMilliseconds(page: Uint8Array, start: number, end: number): number {
  const value = parseNumber(page, start, end);
  if (!Number.isSafeInteger(value) || page.subarray(start, end).includes(46)) {
    failAt(page, start, 'expected a timestamp in whole milliseconds');
  }
  return value;
}

function parseSeconds(page: Uint8Array, start: number, end: number): number {
  const value = Math.round(parseNumber(page, start, end) * 1000);
  if (!Number.isSafeInteger(value)) failAt(page, start, 'expected a timestamp in seconds');
  return value;
}

function tokenEnd(page: Uint8Array, start: number): number {
  let at = start;
  while (at < page.length && page[at] !== space && page[at] !== newline && page[at] !== tab) at++;
  return at;
}

function isBlankOrBrace(byte: number | undefined): boolean {
  return byte === space || byte === tab || byte === braceOpen || byte === undefined;
}
