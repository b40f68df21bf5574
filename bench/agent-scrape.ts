/**
 * What scraping costs the agent besides the network: parsing a page, tracking its series, encoding the requests.
 *
 *   node bench/agent-scrape.ts [series]   ->  one line each for the first scrape and for re-scrapes
 *
 * The page is like a large exporter's: five labels a series, 125 bytes a line. Re-scrapes take three pages in turn, whose
 * values all differ. CPU time counts, not time on the clock; the best of several rounds, as others may use the machine.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ScrapedPage } from '#agent/scrape/scraped-page.ts';
import { SeriesTracker } from '#agent/scrape/series-tracker.ts';
import { sortLabels } from '#model/labels.ts';
import { simpleSettings } from '#test/agent/scrape/simple-target.ts';

const seriesDefault = 100_000;
const roundCount = 30;
const pageCount = 3;

const methods = ['GET', 'POST', 'PUT', 'DELETE'];
const codes = ['200', '204', '301', '404', '500'];

function makePage(seriesCount: number, seed: number): Uint8Array {
  const lines: string[] = [];
  for (let i = 0; i < seriesCount; i++) {
    if (i % 1000 === 0) {
      const name = `http_server_requests_${i / 1000}_total`;
      lines.push(`# HELP ${name} Requests that were answered.\n# TYPE ${name} counter\n`);
    }
    const value = i % 3 === 0 ? ((i * 7 + seed * 13) % 100_000) / 1000 : i * 17 + seed * 1001;
    lines.push(
      `http_server_requests_${Math.floor(i / 1000)}_total{method="${methods[i % 4]}",code="${codes[i % 5]}",` +
        `handler="/api/v1/handler/${i % 250}",zone="eu-west-${i % 3}",shard="${i}"} ${value}\n`,
    );
  }
  return new TextEncoder().encode(lines.join(''));
}

interface Cost {
  parseMs: number;
  writeMs: number;
  requestBytes: number;
}

class Target {
  readonly #tracker = new SeriesTracker();
  readonly #page: ScrapedPage;
  #timestampMs = 1_700_000_000_000;

  constructor() {
    const targetLabels = sortLabels([
      ['instance', '10.0.0.1:9100'],
      ['job', 'bench'],
    ]);
    this.#page = new ScrapedPage(this.#tracker, {
      ...simpleSettings({ intervalMs: 15_000, timeoutMs: 10_000 }),
      targetLabels,
    });
  }

  scrape(bytes: Uint8Array): Cost {
    this.#timestampMs += 15_000;
    const start = process.cpuUsage();
    this.#page.parse(bytes, 'text');
    const parsed = process.cpuUsage(start);
    this.#tracker.begin(this.#timestampMs);
    this.#page.writeTo(this.#tracker, this.#timestampMs);
    const { requests } = this.#tracker.end();
    const written = process.cpuUsage(start);
    const ms = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;
    return {
      parseMs: ms(parsed),
      writeMs: ms(written) - ms(parsed),
      requestBytes: requests.reduce((sum, { bytes: request }) => sum + request.length, 0),
    };
  }
}

function report(
  name: string,
  { parseMs, writeMs, requestBytes }: Cost,
  seriesCount: number,
  bytes: number,
): void {
  const ms = parseMs + writeMs;
  const [perSecond, mbPerSecond] = [seriesCount / ms / 1000, bytes / ms / 1000];
  console.log(
    `${name}: ${perSecond.toFixed(2)} M series per CPU second, ${mbPerSecond.toFixed(0)} MB/s ` +
      `(parse ${parseMs.toFixed(1)} ms, track and encode ${writeMs.toFixed(1)} ms, requests ${(requestBytes / 1e6).toFixed(1)} MB)`,
  );
}

const memory = async (): Promise<number> => {
  globalThis.gc?.();
  // Array buffers are freed by another thread, a little later.
  await delay(100);
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const seriesCount = Number(process.argv[2] ?? seriesDefault);
const pages = Array.from({ length: pageCount }, (_, seed) => makePage(seriesCount, seed));
console.log(`${seriesCount} series, ${(pages[0]!.length / 1e6).toFixed(1)} MB a page`);

const target = new Target();
report('first scrape, cold', target.scrape(pages[0]!), seriesCount, pages[0]!.length);
let best: Cost | undefined;
for (let round = 1; round <= roundCount; round++) {
  const cost = target.scrape(pages[round % pageCount]!);
  if (!best || cost.parseMs + cost.writeMs < best.parseMs + best.writeMs) best = cost;
}
report('re-scrape', best!, seriesCount, pages[0]!.length);

// All targets share the memory of a parsed page and of requests that are being made: a second one shows what is its own.
const before = await memory();
const second = new Target();
report('first scrape, warm', second.scrape(pages[0]!), seriesCount, pages[0]!.length);
second.scrape(pages[1]!);
const perSeries = ((await memory()) - before) / seriesCount;
second.scrape(pages[2]!);
console.log(
  `memory: ${perSeries.toFixed(0)} bytes a series${globalThis.gc ? '' : ' (rough: run with --expose-gc)'}, ` +
    `RSS ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB with ${pageCount} pages and two targets`,
);
