/** What the tables of a store hold, as one number each: equal numbers mean equal rows, in whatever parts and order. */
import type { Store } from '#store/store.ts';

/** `{ logs: '49 rows, 1234...' }`, of every table. */
export async function tableChecksums(store: Store): Promise<Record<string, string>> {
  const tables = await store.rows<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name`,
  );
  const checksums: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await store.rows<{ text: string }>(
      `SELECT concat(toString(count()), ' rows, ', toString(sum(sipHash64(toString(tuple(*)))))) AS text FROM {table:Identifier}`,
      { params: { table: name } },
    );
    checksums[name] = row?.text ?? '';
  }
  return checksums;
}
