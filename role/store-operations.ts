/** The store's operations as this process offers them to the query API. */
import { resolve, sep } from 'node:path';
import { ConfigError } from '#model/errors.ts';
import type { StoreOperations } from '#query/api/store-operations.ts';
import { readBackupProgress, startBackup } from '#store/operations/backup.ts';
import {
  type BackupLocation,
  parseBackupLocation,
  type S3Access,
} from '#store/operations/backup-location.ts';
import type { Store } from '#store/store.ts';
import type { SondeConfig } from './config-tables.ts';
import { readConfiguredStatus } from './store-sweep.ts';

export function createStoreOperations(store: Store, config: SondeConfig['store']): StoreOperations {
  return {
    dataPath: config.kind === 'embedded' ? resolve(config.path) : '',
    status: () => readConfiguredStatus(store, config),
    async startBackup(destination, base) {
      const s3 = s3Access(config);
      const options = { destination: parseBackupLocation(destination, 'dest', s3), cluster: config.cluster };
      checkAllowed(options.destination, config);
      if (base === undefined) return startBackup(store, options);
      const baseLocation = parseBackupLocation(base, 'base', s3);
      checkAllowed(baseLocation, config);
      return startBackup(store, { ...options, base: baseLocation });
    },
    backupProgress: (id) => readBackupProgress(store, id),
  };
}

export function s3Access(config: SondeConfig['store']): S3Access {
  return { url: config.backup_s3_url, keyId: config.backup_s3_key_id, secret: config.backup_s3_secret };
}

/** Whoever reaches the API must not write anywhere else with this process's rights; a server has rules of its own. */
function checkAllowed({ kind, name }: BackupLocation, config: SondeConfig['store']): void {
  if (kind !== 'file' || config.kind !== 'embedded') return;
  if (config.backup_path === '') {
    throw new ConfigError(
      'the running process writes no backups to disk: set store.backup_path and restart it, or stop it and run the command again',
    );
  }
  const allowed = resolve(config.backup_path);
  if (!name.startsWith(allowed.endsWith(sep) ? allowed : `${allowed}${sep}`)) {
    throw new ConfigError(`${name} is not below store.backup_path (${allowed})`);
  }
}
