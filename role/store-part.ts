/** Opens the store that the configuration names and brings its tables up to date. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import type { SondeConfig } from './config-tables.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

type StoreConfig = SondeConfig['store'];

export async function openStore({ config, log }: RoleContext, parts: Parts): Promise<Store> {
  const store = await openConfiguredStore(config.store, { backupPath: config.store.backup_path });
  parts.add('store', () => store.close());
  const applied = await migrate(store, { cluster: config.store.cluster });
  if (applied.length > 0) log.info({ applied }, 'the tables were migrated');
  return store;
}

export interface OpenOptions {
  /** Where the embedded engine may write backups to and read them from; '' is nowhere. */
  readonly backupPath: string;
  /** No statement may ask for more; absent is the store's own bound. */
  readonly timeoutMsMax?: number;
}

/** Opens the store as it is, without migrating it. Throws ConfigError, DirectoryInUseError among them. */
export function openConfiguredStore(config: StoreConfig, options: OpenOptions): Promise<Store> {
  return config.kind === 'embedded' ? openEmbedded(config, options) : openServer(config, options);
}

/** Where the embedded engine keeps its data, below the data directory. */
export function enginePath({ path }: Pick<StoreConfig, 'path'>): string {
  return join(path, 'clickhouse');
}

// Each kind is imported when it is opened: the embedded engine's library alone takes 190 MB.
async function openEmbedded(config: StoreConfig, options: OpenOptions): Promise<Store> {
  if (config.cluster !== '') {
    throw new ConfigError('store.cluster names a ClickHouse cluster, but store.kind is embedded');
  }
  const path = enginePath(config);
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new ConfigError(
      `cannot make the data directory ${config.path}: ${errorMessage(error)}. Give another with --data`,
      { cause: error },
    );
  }
  const { openEmbeddedStore } = await import('#store/embedded/embedded-store.ts');
  return openEmbeddedStore({
    path,
    memoryBytesMax: config.memory_bytes_max,
    diskFreeBytesMin: config.disk_free_bytes_min,
    ...options,
  });
}

async function openServer(config: StoreConfig, { timeoutMsMax }: OpenOptions): Promise<Store> {
  const { url, username, password, cluster } = config;
  if (url === '') throw new ConfigError('store.kind is server, but store.url does not say where it is');
  const { openServerStore } = await import('#store/server/server-store.ts');
  return openServerStore({
    url,
    username,
    password,
    cluster,
    diskFreeBytesMin: config.disk_free_bytes_min,
    ...(timeoutMsMax === undefined ? {} : { timeoutMsMax }),
  });
}
