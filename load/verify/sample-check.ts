/**
 * Counts the stored samples of a run: an instant query for a range vector answers with the samples as they are stored.
 * Samples of one series with one time are one sample in the store: a request that landed twice shows no repeat here.
 */
import { sampleMetric, seriesOf } from '../push/sample-signal.ts';
import type { ApiClient } from './api-client.ts';
import type { StoredRun } from './stored-run.ts';

interface MatrixAnswer {
  readonly data: {
    readonly result: readonly {
      readonly metric: { readonly sender?: string; readonly series?: string };
      /** Seconds since 1970, and the value. */
      readonly values: readonly (readonly [seconds: number, value: string])[];
    }[];
  };
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
  const { result } = await queryMetrics(api, `${runSelector(stored.run)}[${toMs - fromMs}ms]`, toMs);
  let count = 0;
  for (const { metric, values } of result) {
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

export function runSelector(run: string): string {
  return `${sampleMetric}{run="${run}"}`;
}

/** Rejects where the API has no Prometheus API below it. */
export async function queryMetrics(
  api: ApiClient,
  query: string,
  timeMs: number,
): Promise<MatrixAnswer['data']> {
  const time = (timeMs / 1000).toFixed(3);
  const answer = await api.json<MatrixAnswer>('/prometheus/api/v1/query', { query, time });
  if (answer === undefined)
    throw new Error('the API has no /prometheus/api/v1/query: is --url its base URL?');
  return answer.data;
}
