/**
 * Since when the counters of an OpenMetrics page count: the page says it in a line of its own beside them.
 *
 *   a_total{x="1"} 5
 *   a_created{x="1"} 1700000000.1     ->  startMs(group of a{x="1"}) is 1700000000100
 *
 * The samples of one counter, histogram or summary stand together (OpenMetrics 1.0, "Metric"), so a group is known by that
 * of the sample before it: no table of all groups is kept.
 */
import { metricNameLabel } from '#model/labels.ts';
import type { MetricFamily } from './metric-families.ts';
import { grown } from './series-columns.ts';

const groupsMin = 64;

export class StartGroups {
  #count = 0;
  #lastKey = '';
  #page = 0;
  #startsMs = new Float64Array(groupsMin);
  /** The page that said it. */
  #pages = new Int32Array(groupsMin);

  beginPage(): void {
    this.#page++;
    this.#lastKey = '';
  }

  /**
   * Returns the group of a series that is new and whose family has start times. `ownLabels` is what the labels are without
   * the name of the metric, le and quantile: the same text for all of one group.
   */
  groupOf(ownLabels: string, { name }: MetricFamily): number {
    const key = `${name} ${ownLabels}`;
    if (key === this.#lastKey) return this.#count - 1;
    this.#lastKey = key;
    if (this.#count === this.#startsMs.length) {
      this.#startsMs = grown(this.#startsMs, new Float64Array(this.#count * 2));
      this.#pages = grown(this.#pages, new Int32Array(this.#count * 2));
    }
    return this.#count++;
  }

  set(group: number, seconds: number): void {
    this.#startsMs[group] = Math.round(seconds * 1000);
    this.#pages[group] = this.#page;
  }

  /** Returns Unix milliseconds, or 0 where this page does not say it. */
  startMs(group: number): number {
    if (group < 0 || this.#pages[group] !== this.#page) return 0;
    const startMs = this.#startsMs[group]!;
    return Number.isSafeInteger(startMs) && startMs > 0 ? startMs : 0;
  }

  clear(): void {
    this.#count = 0;
    this.#lastKey = '';
  }
}

/** Returns the text of labels for groupOf. */
export function groupText(labels: ReadonlyMap<string, string>): string {
  const own = [...labels].filter(
    ([label]) => label !== metricNameLabel && label !== 'le' && label !== 'quantile',
  );
  return JSON.stringify(own);
}

/** Whether a page may say since when the samples of a family count. */
export function hasStarts({ type }: MetricFamily): boolean {
  return type === 'counter' || type === 'histogram' || type === 'summary';
}
