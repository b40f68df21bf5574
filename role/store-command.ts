/**
 * `sonde store ...`: what an operator does with the store. Each command opens the store by itself; where a running
 * process holds the embedded engine's directory, `status` and `backup` ask that process, and the others say so.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '#model/errors.ts';
import { clusterNamePattern } from '#store/cluster/topology.ts';
import { DirectoryInUseError } from '#store/directory-in-use-error.ts';
import { migrate, pendingMigrations, schemaSql } from '#store/migrate.ts';
import {
  awaitBackup,
  type BackupProgress,
  readBackupProgress,
  startBackup,
  startRestore,
} from '#store/operations/backup.ts';
import { parseBackupLocation } from '#store/operations/backup-location.ts';
import { renderSize, renderStatus } from '#store/operations/status-table.ts';
import type { StoreStatus } from '#store/operations/store-status.ts';
import { verifyStore } from '#store/operations/verify.ts';
import type { Store } from '#store/store.ts';
import type { SondeConfig } from './config-tables.ts';
import { StoreClient } from './store-client.ts';
import { s3Access } from './store-operations.ts';
import { enginePath, openConfiguredStore } from './store-part.ts';
import { readConfiguredStatus } from './store-sweep.ts';

/** What a command reads and writes; the exit code is what it resolves with. */
export interface CommandContext {
  readonly config: SondeConfig;
  readonly print: (text: string) => void;
  /** Progress and hints, apart from the output that a script reads. */
  readonly tell: (text: string) => void;
}

const progressIntervalMs = 500;
/** Reading every part of a large table takes hours; nobody else waits for it. */
const timeoutMsMax = 12 * 3_600_000;

export async function storeStatus(
  { config, print }: CommandContext,
  { json }: { readonly json?: boolean },
): Promise<number> {
  const status: StoreStatus = await withStoreOrProcess(
    config,
    (store) => readConfiguredStatus(store, config.store),
    (client) => client.status(),
  );
  print(json === true ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status));
  return 0;
}

export async function storeMigrate(
  { config, print }: CommandContext,
  options: { readonly dryRun?: boolean; readonly print?: boolean; readonly cluster?: string },
): Promise<number> {
  const cluster = options.cluster ?? config.store.cluster;
  if (!clusterNamePattern.test(cluster)) throw new ConfigError(`${JSON.stringify(cluster)} names no cluster`);
  if (options.print === true) {
    // Printed as for an engine that has every setting: the newest one.
    const settings = new Set(['allow_dimensions_outside_sorting_key']);
    print(
      `${schemaSql(settings, cluster)
        .map((sql) => `${sql.trim()};\n`)
        .join('\n')}`,
    );
    return 0;
  }
  return withStore({ ...config, store: { ...config.store, cluster } }, async (store) => {
    const pending = await pendingMigrations(store);
    if (pending.length === 0) print('the schema is up to date\n');
    for (const { version, name } of pending) {
      print(`${options.dryRun === true ? 'would apply' : 'applies'} ${version} ${name}\n`);
    }
    if (options.dryRun !== true) await migrate(store, { cluster });
    return 0;
  });
}

export async function storeVerify({ config, print, tell }: CommandContext): Promise<number> {
  return withStore(config, async (store) => {
    const { tables, faults } = await verifyStore(store, {
      cluster: config.store.cluster,
      onTable: ({ table, rows, partCount }) => tell(`${table}: ${rows} rows in ${partCount} parts\n`),
    });
    for (const { table, check, fault } of faults) print(`${table} (${check}): ${fault}\n`);
    const rows = tables.reduce((total, table) => total + table.rows, 0);
    print(`${tables.length} tables, ${rows} rows, ${faults.length} faults\n`);
    return faults.length === 0 ? 0 : 1;
  });
}

export async function storeBackup(
  { config, print, tell }: CommandContext,
  destination: string,
  { base }: { readonly base?: string },
): Promise<number> {
  const onProgress = tellProgress(tell);
  const { fileCount, totalBytes } = await withStoreOrProcess(
    config,
    async (store) => {
      const s3 = s3Access(config.store);
      const id = await startBackup(store, {
        destination: parseBackupLocation(destination, 'dest', s3),
        cluster: config.store.cluster,
        ...(base === undefined ? {} : { base: parseBackupLocation(base, 'base', s3) }),
      });
      const ask = () => readBackupProgress(store, id);
      return awaitBackup(ask, { intervalMs: progressIntervalMs, onProgress });
    },
    // The process has keys and a directory of its own.
    (client) =>
      client.backup(absolute(destination), base === undefined ? undefined : absolute(base), onProgress),
  );
  print(`${absolute(destination)} holds ${fileCount} files, ${renderSize(totalBytes)}\n`);
  return 0;
}

export async function storeRestore({ config, print, tell }: CommandContext, source: string): Promise<number> {
  const location = parseBackupLocation(source, 'source', s3Access(config.store));
  return withStore(
    config,
    async (store) => {
      const id = await startRestore(store, { source: location, cluster: config.store.cluster });
      await awaitBackup(() => readBackupProgress(store, id), {
        intervalMs: progressIntervalMs,
        onProgress: tellProgress(tell),
      });
      const status = await readConfiguredStatus(store, config.store);
      print(`restored ${status.rows} rows (${renderSize(status.diskBytes)}) from ${location.name}\n`);
      return 0;
    },
    true,
  );
}

/** A directory as it is from anywhere. */
function absolute(location: string): string {
  return location.includes('://') ? location : resolve(location);
}

/** One line whenever something has changed. */
function tellProgress(tell: (text: string) => void): (progress: BackupProgress) => void {
  let last = '';
  return ({ status, fileCount, totalBytes, bytesRead }) => {
    const read = bytesRead === 0 ? '' : `, ${renderSize(bytesRead)} read`;
    const line = `${status.toLowerCase().replaceAll('_', ' ')}: ${fileCount} files, ${renderSize(totalBytes)}${read}\n`;
    if (line !== last) tell(line);
    last = line;
  };
}

/** `mayBeNew` lets a data directory be made; every other command wants a store that is there. */
async function withStore<Result>(
  config: SondeConfig,
  use: (store: Store) => Promise<Result>,
  mayBeNew = false,
): Promise<Result> {
  if (config.store.kind === 'embedded' && !mayBeNew && !existsSync(enginePath(config.store))) {
    throw new ConfigError(`there is no store in ${config.store.path}: give its directory with --data`);
  }
  // A person at the command line may read and write wherever the system lets them.
  const store = await openConfiguredStore(config.store, { backupPath: '/', timeoutMsMax });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** The process is asked first: the engine would complain on the terminal about the lock. */
async function withStoreOrProcess<Result>(
  config: SondeConfig,
  use: (store: Store) => Promise<Result>,
  ask: (client: StoreClient) => Promise<Result>,
): Promise<Result> {
  if (config.store.kind === 'server') return withStore(config, use);
  const client = new StoreClient(config);
  if (await client.holdsDirectory()) return ask(client);
  try {
    return await withStore(config, use);
  } catch (error) {
    if (!(error instanceof DirectoryInUseError)) throw error;
    throw new ConfigError(
      `another process holds ${config.store.path}, and the query API of none that does answers at ${client.url}: ` +
        'give its port with --port, or stop the process',
      { cause: error },
    );
  }
}
