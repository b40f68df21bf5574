/**
 * Backups by the engine's own BACKUP and RESTORE: a consistent copy of every table while inserts go on, all of it or
 * what has changed since an earlier one.
 *
 * A backup holds rows, the notes of their batches among them, and not the tokens of inserts.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '#model/errors.ts';
import { onCluster } from '../cluster/topology.ts';
import { type Store, StoreError } from '../store.ts';
import type { BackupLocation } from './backup-location.ts';

export interface BackupProgress {
  readonly id: string;
  /** The engine's word: CREATING_BACKUP, BACKUP_CREATED, RESTORING, RESTORED, BACKUP_FAILED and so on. */
  readonly status: string;
  readonly isDone: boolean;
  /** '' where nothing went wrong. */
  readonly error: string;
  readonly fileCount: number;
  /** Of all files in the backup; of an incremental one, those of its base included. */
  readonly totalBytes: number;
  /** Read by a restore so far. */
  readonly bytesRead: number;
}

export interface BackupOptions {
  readonly destination: BackupLocation;
  /** Only what this earlier backup lacks is written; it must stay where it is. */
  readonly base?: BackupLocation;
  readonly cluster?: string;
}

/** The engine's default is a thousand: a service that is down would be asked for hours. */
const s3AttemptsMax = 5;
/** Stack frames and versions are of no use to whom we tell. */
const errorLengthMax = 500;

/** Starts a backup of every table and returns its id at once. Rejects with StoreError where it is refused. */
export async function startBackup(store: Store, options: BackupOptions): Promise<string> {
  const { destination, base, cluster = '' } = options;
  const id = randomUUID();
  const settings = [`id = '${id}'`, ...(base === undefined ? [] : [`base_backup = ${base.sql}`])];
  await store.exec(
    `BACKUP DATABASE ${await databaseName(store)}${onCluster(cluster)} TO ${destination.sql}
     SETTINGS ${settings.join(', ')} ASYNC`,
    {
      params: { ...destination.params, ...base?.params },
      settings: destination.kind === 's3' ? await s3Settings(store) : {},
    },
  );
  return id;
}

/**
 * Starts to restore every table and returns the id at once. Throws ConfigError where a table holds rows: a restore adds
 * to what is there, and nobody could tell the two apart.
 */
export async function startRestore(
  store: Store,
  { source, cluster = '' }: { readonly source: BackupLocation; readonly cluster?: string },
): Promise<string> {
  const filled = await store.rows<{ table: string; rows: string }>(
    `SELECT table, sum(rows) AS rows FROM system.parts WHERE database = currentDatabase() AND active
     GROUP BY table HAVING rows > 0 ORDER BY table`,
  );
  if (filled.length > 0) {
    const names = filled.map(({ table, rows }) => `${table} (${rows} rows)`).join(', ');
    throw new ConfigError(`a restore needs an empty store, but there are rows in ${names}`);
  }
  const id = randomUUID();
  await store.exec(
    `RESTORE DATABASE ${await databaseName(store)}${onCluster(cluster)} FROM ${source.sql} SETTINGS id = '${id}' ASYNC`,
    { params: source.params, settings: source.kind === 's3' ? await s3Settings(store) : {} },
  );
  return id;
}

/** Returns undefined where the engine, since its start, has not heard of it. */
export async function readBackupProgress(store: Store, id: string): Promise<BackupProgress | undefined> {
  const [row] = await store.rows<{
    status: string;
    error: string;
    files: string;
    total: string;
    read: string;
  }>(
    `SELECT toString(status) AS status, error, num_files AS files, total_size AS total, bytes_read AS read
     FROM system.backups WHERE id = {id:String}`,
    { params: { id } },
  );
  if (row === undefined) return undefined;
  return {
    id,
    status: row.status,
    isDone: !/^(CREATING_BACKUP|RESTORING)$/.test(row.status),
    error: row.error.split(', Stack trace')[0]?.slice(0, errorLengthMax) ?? '',
    fileCount: Number(row.files),
    totalBytes: Number(row.total),
    bytesRead: Number(row.read),
  };
}

/** Asks again and again until it is done. Rejects with StoreError where the backup or the restore failed. */
export async function awaitBackup(
  ask: () => Promise<BackupProgress | undefined>,
  options: { readonly intervalMs: number; readonly onProgress?: (progress: BackupProgress) => void },
): Promise<BackupProgress> {
  for (;;) {
    const progress = await ask();
    if (progress === undefined) {
      throw new StoreError('the engine was restarted and has forgotten the backup', { retryable: false });
    }
    options.onProgress?.(progress);
    if (progress.isDone) {
      if (progress.error === '') return progress;
      throw new StoreError(`${progress.status}: ${progress.error}`, { retryable: false });
    }
    await delay(options.intervalMs);
  }
}

/** The name was checked when the store was opened; BACKUP takes no placeholder for it. */
async function databaseName(store: Store): Promise<string> {
  const [row] = await store.rows<{ name: string }>('SELECT currentDatabase() AS name');
  return `\`${row?.name ?? ''}\``;
}

async function s3Settings(store: Store): Promise<Record<string, number>> {
  const name = 'backup_restore_s3_retry_attempts';
  const [row] = await store.rows<{ n: string }>(
    'SELECT count() AS n FROM system.settings WHERE name = {name:String}',
    { params: { name } },
  );
  return Number(row?.n ?? 0) === 0 ? {} : { [name]: s3AttemptsMax };
}
