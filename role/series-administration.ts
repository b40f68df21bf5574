/** Prometheus's administration of stored series, where api.admin allows it. */
import { join } from 'node:path';
import { RefusedError } from '#model/errors.ts';
import type { SeriesAdministration } from '#query/api/prometheus/call.ts';
import { deleteMatchingSeries } from '#query/sql/series-deletion.ts';
import { awaitBackup, readBackupProgress, startBackup } from '#store/operations/backup.ts';
import { parseBackupLocation } from '#store/operations/backup-location.ts';
import { cleanDeleted } from '#store/operations/delete-series.ts';
import type { Store } from '#store/store.ts';
import type { SondeConfig } from './config-tables.ts';
import { s3Access } from './store-operations.ts';

/** How often a backup that is made is asked after. */
const backupPollMs = 100;

/** Undefined where it is off. */
export function createSeriesAdministration(
  store: Store,
  config: SondeConfig,
): SeriesAdministration | undefined {
  if (!config.api.admin) return undefined;
  return {
    async deleteSeries(tenant, lists, range, abort) {
      refuseCluster(config);
      const request = { tenant, lists, range, nowMs: Date.now(), seriesMax: config.query.series_max };
      await deleteMatchingSeries(store, request, abort);
    },
    async cleanTombstones() {
      refuseCluster(config);
      await cleanDeleted(store);
    },
    snapshot: () => backUp(store, config.store),
  };
}

function refuseCluster(config: SondeConfig): void {
  if (config.store.cluster === '') return;
  throw new RefusedError('deleting series is not supported on a cluster yet: delete rows in ClickHouse', 422);
}

async function backUp(store: Store, config: SondeConfig['store']): Promise<string> {
  if (config.backup_path === '') {
    throw new RefusedError(
      'there is no place for a snapshot: set store.backup_path, or use POST /sonde/api/v1/store/backups or `sonde store backup`',
      422,
    );
  }
  // As Prometheus names its own: a time, and something that no other has.
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const name = `${time}-${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const destination = parseBackupLocation(join(config.backup_path, name), 'dest', s3Access(config));
  const id = await startBackup(store, { destination, cluster: config.cluster });
  await awaitBackup(() => readBackupProgress(store, id), { intervalMs: backupPollMs });
  return name;
}
