/** The store's status as text for a person: a line per table, then the totals. */
import type { StoreStatus } from './store-status.ts';

const columns = ['table', 'rows', 'on disk', 'raw', 'ratio', 'B/row', 'parts', 'oldest', 'newest', 'dedup'];
/** The table's name and its partitions are words, the rest are numbers. */
const leftAligned = new Set([0, 7, 8]);

export function renderStatus(status: StoreStatus): string {
  const rows = status.tables.map((table) => [
    table.table,
    count(table.rows),
    renderSize(table.diskBytes),
    renderSize(table.uncompressedBytes),
    table.ratio === null ? '' : table.ratio.toFixed(1),
    table.bytesPerRow === null ? '' : table.bytesPerRow.toFixed(1),
    String(table.parts),
    table.oldestPartition ?? '',
    table.newestPartition ?? '',
    table.dedupWindow === null ? '' : String(table.dedupWindow),
  ]);
  const total = ['total', count(status.rows), renderSize(status.diskBytes), '', '', '', '', '', '', ''];
  return `${alignColumns([columns, ...rows, total])}\n\n${facts(status).join('\n')}\n`;
}

function facts(status: StoreStatus): string[] {
  const growth = status.growthBytesPerDay;
  return [
    `engine     ClickHouse ${status.engineVersion} (${status.kind}), schema version ${status.schemaVersion}`,
    `disk       ${renderSize(status.diskFreeBytes)} free of ${renderSize(status.diskTotalBytes)}, inserts stop below ${renderSize(status.diskReserveBytes)}`,
    `budget     ${status.budgetBytes === 0 ? 'none' : renderSize(status.budgetBytes)}`,
    ...(status.engineLogBytes === 0 ? [] : [`engine log ${renderSize(status.engineLogBytes)}`]),
    `growth     ${growth === null ? 'unknown' : `${renderSize(growth)} a day`}`,
    `days left  ${renderDaysLeft(status)}`,
  ];
}

function renderDaysLeft({ daysLeft }: StoreStatus): string {
  if (daysLeft === 'unknown') return 'unknown: too little history';
  if (daysLeft === 'enough') return 'enough: retention drops as much as comes before the room is used up';
  return daysLeft.toFixed(1);
}

function count(value: number): string {
  return value.toLocaleString('en');
}

/** 1536 -> `1.5 KiB`. */
export function renderSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${unit === 0 ? Math.round(bytes) : (bytes / 1024 ** unit).toFixed(1)} ${units[unit]}`;
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (leftAligned.has(at) ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
