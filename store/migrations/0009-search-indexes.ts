/**
 * Indexes for searching text cost more than the insert and each merge itself. They are built when there is time: see
 * search-indexes.ts, which changes this setting with the load.
 */
import { searchIndexes } from '../search-indexes.ts';
import { type Migration, nothingToDo, type Statement } from './migration.ts';

const setting = 'exclude_materialize_skip_indexes_on_merge';

export const searchIndexesMigration: Migration = {
  version: 9,
  name: 'search indexes',
  statements: Object.entries(searchIndexes).map(
    ([table, indexes]): Statement =>
      (knownSettings) =>
        // An older server builds them in every merge; it is right, and slower.
        knownSettings.has(setting)
          ? `ALTER TABLE ${table} MODIFY SETTING ${setting} = '${indexes.join()}'`
          : nothingToDo,
  ),
};
