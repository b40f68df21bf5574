/**
 * Counts the stored samples of a run: an instant query for a range vector answers with the samples as they are stored.
 * Samples of one series with one time are one sample in the store: a request that landed twice shows no repeat here.
 */
import { sampleMetric, seriesOf } from '../push/sample-signal.ts';
import type { ApiClient } from './api-client.ts';
import type { StoredRun } from './stored-run.ts';

/** Seconds since 1970, and the value. */
type StoredSample = readonly [seconds: number, value: string];

interface Series {
  readonly metric: { readonly sender?: string; readonly series?: string };
  /** Of a range vector. */
  readonly values?: readonly StoredSample[];
  /** Of an instant vector. */
  readonly value?: StoredSample;
}

const widthMsMin = 1000;
const widthMsMax = 600_000;
/** What a page should hold: some megabytes of JSON. */
const pageSamplesMin = 20_000;
const pageSamplesMax = 100_000;

export async function checkSamples(api: ApiClient, stored: StoredRun): Promise<void> {
  let widthMs = 10_000;
  for (let fromMs = stored.startUnixMs; fromMs < stored.endUnixMs; ) {
    const toMs = Math.min(fromMs + widthMs, stored.endUnixMs);
    const count = await checkRange(api, stored, fromMs, toMs);
    fromMs = toMs;
    if (count < pageSamplesMin) widthMs = Math.min(widthMs * 2, widthMsMax);
    if (count > pageSamplesMax) widthMs = Math.max(Math.trunc(widthMs / 4), widthMsMin);
  }
}

/** Samples after `fromMs`, until `toMs`; returns how many they were. */
async function checkRange(api: ApiClient, stored: StoredRun, fromMs: number, toMs: number): Promise<number> {
  const series = await query(api, `${runSelector(stored.run)}[${toMs - fromMs}ms]`, toMs);
  let count = 0;
  for (const { metric, values = [] } of series) {
    for (const [seconds, text] of values) {
      // Prometheus 3 leaves the start of a range out, 2 did not.
      if (Math.round(seconds * 1000) <= fromMs) continue;
      count++;
      const seq = Number(text);
      const isWhole = String(seriesOf(seq, stored.seriesCount)) === metric.series;
      stored.tallies.add('samples', metric.sender ?? '', Number.isSafeInteger(seq) ? seq : 0, isWhole);
    }
  }
  return count;
}

/** Returns how many samples of the run there are. */
export async function countSamples(api: ApiClient, stored: StoredRun): Promise<number> {
  const rangeMs = stored.endUnixMs - stored.startUnixMs;
  const text = `sum(count_over_time(${runSelector(stored.run)}[${rangeMs}ms]))`;
  const [total] = await query(api, text, stored.endUnixMs);
  return Number(total?.value?.[1] ?? 0);
}

function runSelector(run: string): string {
  return `${sampleMetric}{run="${run}"}`;
}

async function query(api: ApiClient, text: string, timeMs: number): Promise<readonly Series[]> {
  const answer = await api.json<{ readonly data: { readonly result: readonly Series[] } }>(
    '/prometheus/api/v1/query',
    { query: text, time: (timeMs / 1000).toFixed(3) },
  );
  if (answer === undefined)
    throw new Error('the API has no /prometheus/api/v1/query: is --url its base URL?');
  return answer.data.result;
}
