/**
 * Batches are known by notes in the tables themselves (noteColumns in tables.ts): the table that named them is not
 * needed any more, and the views leave the notes out.
 */

import { otelViewsMigration } from './0006-otel-views.ts';
import type { Migration } from './migration.ts';

const withoutNotes = otelViewsMigration.statements.map((statement) =>
  String(statement)
    .replace('CREATE VIEW IF NOT EXISTS', 'CREATE OR REPLACE VIEW')
    .concat(" WHERE tenant != ''"),
);

export const batchNotesMigration: Migration = {
  version: 8,
  name: 'batch notes',
  statements: [...withoutNotes, 'DROP TABLE IF EXISTS landed_batches'],
};
