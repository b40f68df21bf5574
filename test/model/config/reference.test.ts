/**
 * Goal: the reference page of the options is never stale.
 * Method: render it from the option tables and compare; `vitest run test/model/config -u` writes it anew.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderReference } from '#model/config/print.ts';
import { configTables } from '../../../role/config-tables.ts';

test('docs/configuration.md is what the option tables say', async () => {
  const path = join(import.meta.dirname, '../../../docs/configuration.md');
  await expect(renderReference(configTables)).toMatchFileSnapshot(path);
});
