/**
 * The exemplars that were sent last for each series: a target shows one until the next request that is worth showing, and
 * Prometheus stores it once. Known by the bytes that stood in the page.
 */
import { metrics } from '@opentelemetry/api';
import { type Labels, sortLabels } from '#model/labels.ts';
import { parsePairs } from './series-text.ts';
import type { TrackedExemplar } from './series-tracker.ts';

export interface PageExemplar {
  /** As it stands in the page, until that changes. */
  readonly raw: Uint8Array;
  readonly value: number;
  /** NaN where the page has none. */
  readonly timestampMs: number;
  readLabels(): Labels;
}

export interface KnownExemplar {
  readonly raw: Uint8Array;
}

export interface SeriesExemplars {
  readonly fresh: readonly TrackedExemplar[];
  readonly shown: readonly KnownExemplar[];
}

/** OpenMetrics 1.0, "Exemplars": characters of all names and values together. */
const labelCharactersMax = 128;
/** Series over twice the last page's, of which exemplars may be remembered. */
const staleSeriesMax = 1024;

const droppedCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.exemplars.dropped', {
  description: 'Exemplars that were scraped and not sent, by reason.',
});

export class ExemplarMemory {
  readonly #sent = new Map<number, readonly KnownExemplar[]>();
  #pageSeriesCount = 0;

  /** Returns those that were not sent yet and may be, and all of them for note(). */
  fresh(series: number, exemplars: readonly PageExemplar[]): SeriesExemplars {
    this.#pageSeriesCount++;
    const sent = this.#sent.get(series) ?? [];
    const fresh: TrackedExemplar[] = [];
    const shown = exemplars.map((exemplar): KnownExemplar => {
      const known = sent.find(({ raw }) => Buffer.compare(raw, exemplar.raw) === 0);
      if (known) return known;
      const { value, timestampMs } = exemplar;
      const labels = exemplar.readLabels();
      if (characterCount(labels) <= labelCharactersMax) fresh.push({ labels, value, timestampMs });
      else droppedCounter.add(1, { reason: 'labels_too_long' });
      return { raw: Uint8Array.from(exemplar.raw) };
    });
    return { fresh, shown };
  }

  /** Says that the fresh ones were sent. */
  note(series: number, shown: readonly KnownExemplar[]): void {
    if (shown.length > 0) this.#sent.set(series, shown);
  }

  endPage(): void {
    if (this.#sent.size > this.#pageSeriesCount * 2 + staleSeriesMax) this.#sent.clear();
    this.#pageSeriesCount = 0;
  }

  clear(): void {
    this.#sent.clear();
  }
}

/** The exemplar [start, end) of a page in a text format. Its labels are [start, labelsEnd). */
export function textExemplar(
  page: Uint8Array,
  start: number,
  labelsEnd: number,
  end: number,
  value: number,
  timestampMs: number,
): PageExemplar {
  return {
    raw: page.subarray(start, end),
    value,
    timestampMs,
    readLabels() {
      const labels = new Map<string, string>();
      parsePairs(page, start, labelsEnd, labels);
      return sortLabels(labels);
    },
  };
}

function characterCount(labels: Labels): number {
  let count = 0;
  for (const pair of labels) for (const text of pair) count += [...text].length;
  return count;
}
