/** A run's samples as `name{labels} value @ms` lines, as Prometheus would show them. */
import type { TranscodeResult } from '#collector/run.ts';
import type { NativeEngine } from './native-engine.ts';

let tableCount = 0;

export function sampleLines(engine: NativeEngine, { blocks }: TranscodeResult): string[] {
  const n = tableCount++;
  for (const { table, parts } of blocks) {
    engine.createTable(`lines_${table}_${n}`, table);
    engine.insertBlock(`lines_${table}_${n}`, table, parts);
  }
  if (blocks.length === 0) return [];
  return engine
    .rows<{ line: string }>(
      `SELECT concat(s.metric, '{', arrayStringConcat(arrayMap((k, v) -> concat(k, '="', v, '"'), mapKeys(labels), mapValues(labels)), ','), '} ', toString(v), ' @', toString(toUnixTimestamp64Milli(ts))) AS line
       FROM lines_samples_head_${n} AS s INNER JOIN (SELECT DISTINCT tenant, metric, id, labels FROM lines_series_${n}) AS l ON s.id = l.id AND s.metric = l.metric ORDER BY line`,
    )
    .map(({ line }) => line);
}
