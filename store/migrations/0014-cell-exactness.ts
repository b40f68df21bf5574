/**
 * What a query must know of a cell to answer from it exactly as from its samples:
 *
 *   reset_count   how many samples `resets` is the sum of: one value added is exact, a sum of several may be rounded
 *   traits        1: all values are integers, so that any order of adding them gives the same sum; 2: none is -0
 *
 * Cells from before know neither, but for counters that never restarted.
 */
import type { Migration } from './migration.ts';

export const cellExactnessMigration: Migration = {
  version: 14,
  name: 'cell exactness',
  statements: [
    `ALTER TABLE samples_5m
  ADD COLUMN IF NOT EXISTS reset_count UInt32 DEFAULT if(resets = 0 AND vmin >= 0, 0, 4294967295) CODEC(T64, ZSTD(1)),
  ADD COLUMN IF NOT EXISTS traits UInt8 CODEC(ZSTD(1))`,
  ],
};
