/** Which batches have rows in a table already, and in which of its partitions: see noteColumns in tables.ts. */
import type { Store } from './store.ts';
import { type NotedTable, noteColumns } from './tables.ts';

/** Parameters travel in the query's text: so many names of 30 bytes stay far below its limit. */
const notesPerQuery = 5000;

interface NoteRow {
  readonly note: string;
  readonly second: number;
}

/**
 * Returns, of the batches named by `notes`, where their rows are: the first seconds of partitions, among `seconds`.
 * A name that is missing has no row there. Rejects with StoreError.
 */
export async function selectLandedNotes(
  store: Store,
  table: NotedTable,
  notes: readonly string[],
  seconds: readonly number[],
): Promise<Map<string, number[]>> {
  const landed = new Map<string, number[]>();
  if (seconds.length === 0) return landed;
  const [first, last] = bounds(seconds);
  for (let start = 0; start < notes.length; start += notesPerQuery) {
    const rows = await store.rows<NoteRow>(
      `SELECT ${noteColumns[table]} AS note, toUInt32(toUnixTimestamp(ts)) AS second FROM ${table}
       WHERE tenant = '' AND ${noteColumns[table]} IN {notes:Array(String)}
         AND ts >= toDateTime({first:UInt32}, 'UTC') AND ts <= toDateTime({last:UInt32}, 'UTC')
       GROUP BY note, second`,
      { params: { notes: notes.slice(start, start + notesPerQuery), first, last } },
    );
    for (const { note, second } of rows) {
      const found = landed.get(note);
      if (found === undefined) landed.set(note, [second]);
      else found.push(second);
    }
  }
  return landed;
}

function bounds(seconds: readonly number[]): [number, number] {
  let [first, last] = [seconds[0], seconds[0]];
  for (const second of seconds) {
    first = Math.min(first, second);
    last = Math.max(last, second);
  }
  return [first, last];
}
