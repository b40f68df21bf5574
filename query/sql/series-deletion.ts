/** Deletes what series have in a range of time: matchers become ids here, and the store does the rest. */
import type { LabelMatcher } from '#model/labels.ts';
import { deleteSeries } from '#store/operations/delete-series.ts';
import type { Store } from '#store/store.ts';
import type { TimeRange } from '../promql/source.ts';
import { createMetricRead } from './metric-read.ts';
import { resolveSeries, seriesIdText } from './series.ts';

export interface DeletionRequest {
  readonly tenant: string;
  /** Series that match any of the lists. */
  readonly lists: readonly (readonly LabelMatcher[])[];
  /** Both bounds are inclusive. */
  readonly range: TimeRange;
  readonly nowMs: number;
  /** Series that one list may match. */
  readonly seriesMax: number;
}

/** Rejects with LimitError, RefusedError or StoreError. */
export async function deleteMatchingSeries(
  store: Store,
  { tenant, lists, range, nowMs, seriesMax }: DeletionRequest,
  abort: AbortSignal,
): Promise<void> {
  const read = createMetricRead(store, tenant);
  const ids = new Set<string>();
  for (const matchers of lists) {
    for (const series of await resolveSeries(read, matchers, range, seriesMax, abort)) {
      ids.add(seriesIdText(series));
    }
  }
  await deleteSeries(store, { tenant, ids: [...ids], ...range, nowMs }, abort);
}
