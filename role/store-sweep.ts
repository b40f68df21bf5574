/**
 * Keeps the store within its bounds while a collector runs: drops what is too old or too much, counts it, repairs what a
 * full disk has spoilt, and measures the room that is left.
 */
import { metrics } from '@opentelemetry/api';
import { durationMs } from '#model/config/option.ts';
import { errorMessage } from '#model/errors.ts';
import { Ballast } from '#store/embedded/ballast.ts';
import { PartRepair } from '#store/embedded/part-repair.ts';
import { readStoreStatus, type StoreStatus } from '#store/operations/store-status.ts';
import { type DroppedPartition, dropExpired, dropOverBudget } from '#store/retention.ts';
import type { Store } from '#store/store.ts';
import type { SondeConfig } from './config-tables.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

/** Metrics are read more often than disks fill. */
const statusMsMax = 60_000;

const meter = metrics.getMeter('sonde');
const droppedRows = meter.createCounter('sonde.store.dropped_rows', {
  description: 'Rows that were dropped with their partition, by table and reason (retention, budget).',
});
const droppedBytes = meter.createCounter('sonde.store.dropped_bytes', {
  description: 'Bytes on disk of the partitions that were dropped, by table and reason (retention, budget).',
  unit: 'By',
});
const lostRows = meter.createCounter('sonde.store.lost_rows', {
  description: 'Rows in parts that a full disk has emptied and that could not be taken back, by table.',
});
const daysLeftGauge = meter.createObservableGauge('sonde.store.days_left', {
  description:
    'Days until the disk or the byte budget is full, at the present pace; absent where it is unknown.',
  unit: 'd',
});
const diskGauge = meter.createObservableGauge('sonde.store.disk_bytes', {
  description: 'Bytes on disk, by table.',
  unit: 'By',
});

/** What the configuration says of the store's bounds, for every reader of its status. */
export function readConfiguredStatus(store: Store, config: SondeConfig['store']): Promise<StoreStatus> {
  return readStoreStatus(store, {
    nowMs: Date.now(),
    retentionMs: durationMs(config.retention),
    budgetBytes: config.bytes_max,
    diskReserveBytes: config.disk_free_bytes_min,
    cluster: config.cluster,
  });
}

export function startStoreSweep(context: RoleContext, store: Store, parts: Parts): void {
  const { config } = context;
  observeStatus(context, store, parts);
  // A server's disk is not ours to take from, nor its parts to look at.
  const embedded =
    config.store.kind === 'embedded'
      ? { ballast: new Ballast(config.store.path), repair: new PartRepair(store) }
      : undefined;
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  const start = (): void => {
    // A sweep over a slow store is not joined by the next one.
    if (isRunning) return;
    isRunning = true;
    running = careFor(context, store, embedded).finally(() => {
      isRunning = false;
    });
  };
  start();
  const timer = setInterval(start, config.store.sweep_interval_ms);
  parts.add('retention', async () => {
    clearInterval(timer);
    await running;
  });
}

interface EmbeddedCare {
  readonly ballast: Ballast;
  readonly repair: PartRepair;
}

/** Each for itself: what cannot be dropped must not keep a table from being repaired in time. Never rejects. */
async function careFor(
  context: RoleContext,
  store: Store,
  embedded: EmbeddedCare | undefined,
): Promise<void> {
  if (embedded !== undefined) await repairParts(context, embedded.repair);
  await sweep(context, store, embedded);
}

async function repairParts({ log }: RoleContext, repair: PartRepair): Promise<void> {
  try {
    for (const repaired of await repair.repair()) {
      lostRows.add(repaired.rowsLost, { table: repaired.table });
      log.error(repaired, 'a full disk has spoilt parts: the table was reloaded without them');
    }
  } catch (error) {
    log.error({ error: errorMessage(error) }, 'looking for spoilt parts failed; the next sweep tries again');
  }
}

async function sweep(context: RoleContext, store: Store, embedded: EmbeddedCare | undefined): Promise<void> {
  const { config, log } = context;
  const { retention, bytes_max: bytesMax, cluster } = config.store;
  const lend = <Result>(work: () => Promise<Result>): Promise<Result> =>
    embedded === undefined ? work() : embedded.ballast.lend(work);
  const dropped: object[] = [];
  const count = (reason: 'retention' | 'budget') => (partition: DroppedPartition) => {
    const { table, rows, bytes } = partition;
    droppedRows.add(rows, { table, reason });
    droppedBytes.add(bytes, { table, reason });
    dropped.push({ ...partition, reason });
  };
  try {
    const age = { retentionMs: durationMs(retention), nowMs: Date.now() };
    await lend(() => dropExpired(store, { ...age, cluster, onDropped: count('retention') }));
    const { bytesOver } = await lend(() =>
      dropOverBudget(store, { bytesMax, cluster, onDropped: count('budget') }),
    );
    if (bytesOver > 0) {
      log.warn({ bytesOver, bytesMax }, 'the newest partitions alone exceed store.bytes_max: they are kept');
    }
    if (embedded === undefined) return;
    if (!(await embedded.ballast.fill())) log.warn('the disk is full: nothing is stored until there is room');
  } catch (error) {
    log.error(
      { error: errorMessage(error) },
      'keeping the store within its bounds failed; the next sweep tries again',
    );
  } finally {
    if (dropped.length > 0) log.info({ dropped }, 'partitions were dropped');
  }
}

/** Reads the status when metrics are collected, and not more than once a minute. */
function observeStatus({ config, log }: RoleContext, store: Store, parts: Parts): void {
  let status: StoreStatus | undefined;
  let readAtMs = -Infinity;
  let running: Promise<void> = Promise.resolve();
  const read = async (): Promise<void> => {
    if (performance.now() - readAtMs < statusMsMax) return;
    readAtMs = performance.now();
    try {
      status = await readConfiguredStatus(store, config.store);
    } catch (error) {
      status = undefined;
      log.warn({ error: errorMessage(error) }, 'the sizes of the tables could not be read');
    }
  };
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (observer) => {
    running = read();
    await running;
    if (status === undefined) return;
    const { daysLeft } = status;
    if (daysLeft !== 'unknown') observer.observe(daysLeftGauge, daysLeft === 'enough' ? Infinity : daysLeft);
    for (const { table, diskBytes } of status.tables) observer.observe(diskGauge, diskBytes, { table });
  };
  meter.addBatchObservableCallback(observe, [daysLeftGauge, diskGauge]);
  parts.add('store metrics', async () => {
    meter.removeBatchObservableCallback(observe, [daysLeftGauge, diskGauge]);
    await running;
  });
}
