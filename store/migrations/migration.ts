/** SQL, or SQL that depends on which MergeTree settings this engine has. */
export type Statement = string | ((knownSettings: KnownSettings) => string);

/** A statement that an engine has no use for. */
export const nothingToDo = 'SELECT 1';

export type KnownSettings = Pick<ReadonlySet<string>, 'has'>;

/** A step of the schema. A released step is never edited: what it got wrong, a later step puts right. */
export interface Migration {
  /** 1, 2, 3 ... without gaps. */
  readonly version: number;
  /** One or two words, for the record of what was applied. */
  readonly name: string;
  /** Each must change nothing when it is run again: a crash may come between two of them. */
  readonly statements: readonly Statement[];
}

/**
 * For every table that ingest writes. The engine remembers this many insert tokens per table, and an insert is on the
 * disk, directory entry included, before it is acknowledged.
 */
export const durableSettings =
  'non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1';
