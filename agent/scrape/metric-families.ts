/**
 * What a target's metadata lines say about its metrics, kept from scrape to scrape.
 *
 *   # TYPE http_seconds histogram    ->  of('http_seconds_bucket') is { type: 'histogram', ... }
 *
 * A line that says again what it said last time is known by its bytes and not parsed.
 */
import { ByteDictionary } from '#wire/remote-write/byte-dictionary.ts';
import type { MetricType } from '#wire/remote-write/request-encoder.ts';
import type { MetadataKind } from './exposition-parser.ts';

export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

interface FamilyChanges {
  readonly isChanged: boolean;
  readonly isTypeChanged: boolean;
  readonly isOtherThanTold: boolean;
}

interface Family {
  readonly name: string;
  /** The page, counted from 0, that last had a line about it. */
  page: number;
  type: MetricType;
  help: string;
  unit: string;
  isTyped: boolean;
  /** The line that last said it, by kind: its number in #lines. */
  readonly lines: Record<MetadataKind, number>;
}

/** A longer help text is cut: it is a sentence for a person, and every series' request carries it. */
const helpLengthMax = 1024;
/** Longer lines are parsed each time instead of being kept. */
const lineBytesMax = 4096;
/** A family that so many pages have had no line about is no longer listed, as in Prometheus. */
const listedPages = 10;
/** Entries over twice the last page's, by which texts that change with every scrape are allowed to pile up. */
const staleEntriesMax = 1024;

/** Which series belong to a family of another name, by type (text 0.0.4 and OpenMetrics 1.0, "Suffixes"). */
const suffixes: readonly (readonly [string, readonly MetricType[]])[] = [
  ['_total', ['counter']],
  ['_bucket', ['histogram', 'gaugehistogram']],
  ['_count', ['histogram', 'summary']],
  ['_sum', ['histogram', 'summary']],
  ['_gcount', ['gaugehistogram']],
  ['_gsum', ['gaugehistogram']],
  ['_info', ['info']],
  ['_created', ['counter', 'histogram', 'summary']],
];

/** What others may ask: nothing that a page's series depend on. */
export type ListedFamilies = Pick<MetricFamilies, 'listed' | 'listedAs'>;

export class MetricFamilies {
  readonly #families = new Map<string, Family>();
  readonly #lines = new ByteDictionary();
  #lineOwners: { readonly family: Family; readonly kind: MetadataKind }[] = [];
  #page = 0;
  #pageLineCount = 0;
  #isChanged = false;
  #isTypeChanged = false;
  /** Metrics that this page's series have asked about, and whether what they were told has changed since. */
  readonly #asked = new Set<string>();
  #isOtherThanTold = false;

  beginPage(): void {
    this.#asked.clear();
    this.#isOtherThanTold = false;
  }

  /** Whether the line [start, end) says what is known. */
  knows(page: Uint8Array, view: DataView, start: number, end: number): boolean {
    this.#pageLineCount++;
    const line = this.#lines.find(page, view, start, end);
    if (line < 0) return false;
    const { family, kind } = this.#lineOwners[line]!;
    family.page = this.#page;
    return family.lines[kind] === line;
  }

  /** Takes what the line [start, end) says; without a line, it is not known again by its bytes. */
  set(
    kind: MetadataKind,
    name: string,
    text: string,
    line?: { page: Uint8Array; view: DataView; start: number; end: number },
  ): void {
    if (!line) this.#pageLineCount++;
    let family = this.#families.get(name);
    if (!family) {
      family = {
        name,
        page: this.#page,
        type: 'unknown',
        help: '',
        unit: '',
        isTyped: false,
        lines: { type: -1, help: -1, unit: -1 },
      };
      this.#families.set(name, family);
      this.#noteChange(name);
    }
    family.page = this.#page;
    const value = kind === 'help' ? text.slice(0, helpLengthMax) : text;
    if (family[kind] !== value) {
      Object.assign(family, { [kind]: value });
      this.#noteChange(name);
      if (kind === 'type' && family.isTyped) this.#isTypeChanged = true;
    }
    if (kind === 'type') family.isTyped = true;
    if (!line || line.end - line.start > lineBytesMax) return;
    const number = this.#lines.intern(line.page, line.view, line.start, line.end);
    this.#lineOwners[number] = { family, kind };
    family.lines[kind] = number;
  }

  /** Returns what is known about the metric of a series. */
  of(metric: string): MetricFamily | undefined {
    this.#asked.add(metric);
    const family = this.#families.get(metric);
    if (family) return family;
    for (const [suffix, types] of suffixes) {
      if (!metric.endsWith(suffix)) continue;
      const parent = this.#families.get(metric.slice(0, -suffix.length));
      if (parent && types.includes(parent.type)) return parent;
    }
    return undefined;
  }

  /** Families that metadata lines of the last pages were about, in the order of their first lines. */
  *listed(): Generator<MetricFamily> {
    for (const family of this.#families.values()) if (this.#isListed(family)) yield family;
  }

  /** The family of exactly this name, where it is listed. */
  listedAs(name: string): MetricFamily | undefined {
    const family = this.#families.get(name);
    return family && this.#isListed(family) ? family : undefined;
  }

  /**
   * Ends a page. Returns what changed since the last one, so that series must ask again; `isOtherThanTold` where also series
   * that have asked while the page was read must.
   */
  endPage(): FamilyChanges {
    const changes = {
      isChanged: this.#isChanged,
      isTypeChanged: this.#isTypeChanged,
      isOtherThanTold: this.#isOtherThanTold,
    };
    const linesMax = this.#pageLineCount * 2 + staleEntriesMax;
    if (this.#families.size > linesMax) this.#families.clear();
    if (this.#families.size === 0 || this.#lines.count > linesMax) {
      this.#lines.clear();
      this.#lineOwners = [];
      for (const family of this.#families.values())
        Object.assign(family.lines, { type: -1, help: -1, unit: -1 });
    }
    this.#page++;
    this.#pageLineCount = 0;
    this.#isChanged = false;
    this.#isTypeChanged = false;
    return changes;
  }

  #isListed({ page }: Family): boolean {
    return this.#page - page <= listedPages;
  }

  #noteChange(family: string): void {
    this.#isChanged = true;
    if (this.#isOtherThanTold) return;
    const isAsked = this.#asked.has(family) || suffixes.some(([suffix]) => this.#asked.has(family + suffix));
    this.#isOtherThanTold = isAsked;
  }
}
