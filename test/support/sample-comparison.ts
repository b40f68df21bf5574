/** Compares a run's sample blocks with the rows of the naive decoders, by count and checksum in the engine. */
import { expect } from 'vitest';
import type { TranscodeResult } from '#collector/run.ts';
import type { TableName } from '#store/tables.ts';
import type { NaiveSamples } from './naive/naive-samples.ts';
import type { NativeEngine } from './native-engine.ts';

const seriesTotal =
  'SELECT tenant, metric, id, labels, min(t_min) AS t_min, max(t_max) AS t_max FROM %s GROUP BY ALL';

/** `name` must be new to the engine. A series may be announced in several rows: its widest range counts. */
export function expectSamples(
  engine: NativeEngine,
  name: string,
  { blocks }: TranscodeResult,
  naive: readonly NaiveSamples[],
): void {
  const rows: Partial<Record<TableName, object[]>> = {
    metric_metadata: naive.flatMap((samples) => samples.metadataRows),
    series: naive.flatMap((samples) => samples.seriesRows),
    sample_starts: naive.flatMap((samples) => samples.starts),
    samples_head: naive.flatMap((samples) => samples.samples),
    histograms_head: naive.flatMap((samples) => samples.histograms),
    exemplars: naive.flatMap((samples) => samples.exemplars),
  };
  const filled = (Object.keys(rows) as TableName[]).filter((table) => rows[table]!.length > 0);
  expect(blocks.map(({ table }) => table)).toEqual(filled);
  for (const { table, parts } of blocks) {
    const [ours, theirs] = [`${name}_${table}_ours`, `${name}_${table}_naive`];
    engine.createTable(ours, table);
    engine.insertBlock(ours, table, parts);
    engine.createTable(theirs, table);
    engine.insertRows(theirs, table, rows[table]!);
    const of = (source: string) => (table === 'series' ? `(${seriesTotal.replace('%s', source)})` : source);
    const difference = engine.rows(
      `SELECT * FROM (SELECT * FROM ${of(ours)} EXCEPT SELECT * FROM ${of(theirs)}) LIMIT 3`,
    );
    expect(difference, `rows of ${table} that the naive decoder has not`).toEqual([]);
    expect(engine.checksum(of(ours), table), table).toEqual(engine.checksum(of(theirs), table));
  }
}
