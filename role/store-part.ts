/** Opens the store that the configuration names and brings its tables up to date. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

export async function openStore({ config, log }: RoleContext, parts: Parts): Promise<Store> {
  const store =
    config.store.kind === 'embedded' ? await openEmbedded(config.store) : await openServer(config.store);
  parts.add('store', () => store.close());
  const applied = await migrate(store);
  if (applied.length > 0) log.info({ applied }, 'the tables were migrated');
  return store;
}

// Each kind is imported when it is opened: the embedded engine's library alone takes 190 MB.
async function openEmbedded(options: {
  readonly path: string;
  readonly memory_bytes_max: number;
}): Promise<Store> {
  const path = join(options.path, 'clickhouse');
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new ConfigError(
      `cannot make the data directory ${options.path}: ${errorMessage(error)}. Give another with --data`,
      { cause: error },
    );
  }
  const { openEmbeddedStore } = await import('#store/embedded/embedded-store.ts');
  return openEmbeddedStore({ path, memoryBytesMax: options.memory_bytes_max });
}

async function openServer(options: {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}): Promise<Store> {
  if (options.url === '')
    throw new ConfigError('store.kind is server, but store.url does not say where it is');
  const { openServerStore } = await import('#store/server/server-store.ts');
  return openServerStore({ url: options.url, username: options.username, password: options.password });
}
