/**
 * What inserts and merges cost at high rates. A merge of log rows costs as much as their insert, and each row is merged several times.
 *
 * Parts are merged once they are about ten of a size, not five: at a steady rate 1.2 to 1.4 passes instead of 1.7 to 2.4,
 * for some ten parts more that a query opens. Parts that grow old are merged as before.
 *
 * Lengths of strings are a stream of their own by default. With the bytes, spans take a tenth less to insert, a seventh less
 * to merge, and 4 bytes less each; log bodies keep it, as the volume of a stream is read from it.
 *
 * Samples lie in the head for some hours only, before they are chunks: LZ4 there takes a third off insert and a fifth off
 * each merge, for 0.1 to 0.2 bytes more.
 */
import { type Migration, nothingToDo, type Statement } from './migration.ts';

const settings: readonly (readonly [string, string])[] = [
  ...['logs', 'spans', 'samples_head', 'histograms_head', 'trace_index'].map(
    (table) => [table, 'merge_selector_base = 10'] as const,
  ),
  ['spans', "string_serialization_version = 'single_stream'"],
];

const headColumns = [
  'id UInt64 CODEC(Delta(8), LZ4)',
  "ts DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4)",
  'v Float64 CODEC(Delta(8), LZ4)',
];

export const mergeCostMigration: Migration = {
  version: 13,
  name: 'merge cost',
  statements: [
    ...settings.map(
      ([table, setting]): Statement =>
        (knownSettings) =>
          knownSettings.has(setting.split(' ', 1)[0]!)
            ? `ALTER TABLE ${table} MODIFY SETTING ${setting}`
            : nothingToDo,
    ),
    // A partition is moved from the one to the other.
    ...['samples_head', 'samples_closing'].flatMap((table) =>
      headColumns.map((column) => `ALTER TABLE ${table} MODIFY COLUMN ${column}`),
    ),
  ],
};
