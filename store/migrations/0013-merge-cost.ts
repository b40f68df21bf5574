/**
 * What merges cost at high rates. A merge of log rows costs as much as their insert, and each row is merged several times.
 *
 * Parts are merged once they are about ten of a size, not five: at a steady rate 1.2 to 1.4 passes instead of 1.7 to 2.4,
 * for some ten parts more that a query opens. Parts that grow old are merged as before.
 *
 * Samples lie in the head for some hours only, before they are chunks: LZ4 there takes a third off insert and a fifth off
 * each merge, for 0.1 to 0.2 bytes more.
 */
import { type Migration, nothingToDo, type Statement } from './migration.ts';

const setting = 'merge_selector_base';
const selectorBase = 10;
const tables = ['logs', 'spans', 'samples_head', 'histograms_head', 'trace_index'];

const headColumns = [
  'id UInt64 CODEC(Delta(8), LZ4)',
  "ts DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4)",
  'v Float64 CODEC(Delta(8), LZ4)',
];

export const mergeCostMigration: Migration = {
  version: 13,
  name: 'merge cost',
  statements: [
    ...tables.map(
      (table): Statement =>
        (knownSettings) =>
          knownSettings.has(setting)
            ? `ALTER TABLE ${table} MODIFY SETTING ${setting} = ${selectorBase}`
            : nothingToDo,
    ),
    // A partition is moved from the one to the other.
    ...['samples_head', 'samples_closing'].flatMap((table) =>
      headColumns.map((column) => `ALTER TABLE ${table} MODIFY COLUMN ${column}`),
    ),
  ],
};
