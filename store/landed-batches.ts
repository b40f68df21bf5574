/** Which of some batches are in the tables already. */
import type { Store } from './store.ts';

export interface Batch {
  readonly tenant: string;
  /** Signal and batch id, as in the column: `logs/9f2c-17`. */
  readonly batch: string;
}

/** Parameters travel in the query's text: so many ids of at most 150 bytes stay far below its limit. */
const batchesPerQuery = 200;

/** Returns those of `batches` that have landed, as `tenant/batch`. Rejects with StoreError. */
export async function selectLandedBatches(store: Store, batches: readonly Batch[]): Promise<Set<string>> {
  const landed = new Set<string>();
  for (let start = 0; start < batches.length; start += batchesPerQuery) {
    const some = batches.slice(start, start + batchesPerQuery);
    const rows = await store.rows<Batch>(
      `SELECT DISTINCT tenant, batch FROM landed_batches
       WHERE tenant IN {tenants:Array(String)} AND batch IN {batches:Array(String)}`,
      {
        params: {
          tenants: [...new Set(some.map(({ tenant }) => tenant))],
          batches: some.map(({ batch }) => batch),
        },
      },
    );
    for (const { tenant, batch } of rows) landed.add(`${tenant}/${batch}`);
  }
  return landed;
}
