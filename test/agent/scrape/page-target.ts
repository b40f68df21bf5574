/**
 * One target that is scraped at 1000, 2000, ...: page -> its samples as text, sorted by series. An undefined page is a
 * failed scrape.
 */

import type { ScrapeLimits } from '#agent/scrape/scrape-settings.ts';
import { type PageFormat, type PageSettings, ScrapedPage } from '#agent/scrape/scraped-page.ts';
import { SeriesTracker } from '#agent/scrape/series-tracker.ts';
import { sortLabels } from '#model/labels.ts';
import { bySeries, renderRequest } from '#test/wire/remote-write/request-text.ts';
import { simpleSettings } from './simple-target.ts';

export interface PageTargetOptions extends Partial<Omit<PageSettings, 'limits' | 'targetLabels'>> {
  readonly limits?: Partial<ScrapeLimits>;
  readonly requestBytesMax?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly tracksOwnTimes?: boolean;
}

/** What a page is read with where a test says nothing else: everything is taken, nothing limited. */
export function pageSettings({ limits, labels = {}, ...settings }: PageTargetOptions = {}): PageSettings {
  const simple = simpleSettings({ intervalMs: 1000, timeoutMs: 1000 });
  return {
    ...simple,
    isTakingNativeHistograms: true,
    targetLabels: sortLabels(Object.entries(labels)),
    ...settings,
    limits: { ...simple.limits, ...limits },
  };
}

export class PageTarget {
  readonly tracker: SeriesTracker;
  readonly #settings: PageSettings;
  #page: ScrapedPage;
  #timeMs = 0;
  requestCount = 0;
  duplicates = 0;
  outOfOrder = 0;
  outOfBounds = 0;
  counts = { samples: 0, kept: 0 };

  constructor(options: PageTargetOptions = {}) {
    this.tracker = new SeriesTracker(options.requestBytesMax ?? 900_000);
    this.tracker.tracksOwnTimes = options.tracksOwnTimes ?? false;
    this.#settings = pageSettings(options);
    this.#page = new ScrapedPage(this.tracker, this.#settings);
  }

  /** Goes on with other settings, as a target does when they change. */
  change(settings: Partial<PageSettings>): void {
    this.#page = new ScrapedPage(this.tracker, { ...this.#settings, ...settings });
  }

  scrape(page: string | Uint8Array | undefined, format: PageFormat = 'text'): string[] {
    this.#timeMs += 1000;
    const bytes = typeof page === 'string' ? new TextEncoder().encode(page) : page;
    if (bytes) this.counts = this.#page.parse(bytes, format);
    this.tracker.begin(this.#timeMs);
    const refused = bytes ? this.#page.writeTo(this.tracker, this.#timeMs) : undefined;
    this.duplicates = refused?.duplicate ?? 0;
    this.outOfOrder = refused?.out_of_order ?? 0;
    this.outOfBounds = refused?.out_of_bounds ?? 0;
    const run = this.tracker.end();
    if (run.isRenumbered) this.#page.forgetTexts();
    this.requestCount = run.requests.length;
    const lines = run.requests.map(({ bytes }) => renderRequest(bytes));
    const counts = run.requests.map(({ sampleCount }) => sampleCount);
    if (counts.join() !== lines.map(({ length }) => length).join()) throw new Error(`counted ${counts}`);
    return bySeries(lines.flat());
  }
}
