/** Rows of `series` in Native blocks: ids as words, and labels without an object per row on the way. */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import { type Block, columnNamed, readBlocks } from '#store/native/block-reader.ts';
import { type Column, type StringColumn, stringAt } from '#store/native/column.ts';
import type { StoredSeries } from './series.ts';

/** Returns the series of blocks of `id UInt64, metric, labels Map`, in their order. */
export function decodeSeries(bytes: Uint8Array): StoredSeries[] {
  const series: StoredSeries[] = [];
  for (const block of readBlocks(bytes)) addBlock(block, series);
  return series;
}

function addBlock(block: Block, series: StoredSeries[]): void {
  const ids = columnNamed(block, 'id');
  const labels = columnNamed(block, 'labels');
  if (ids.kind !== 'integer64' || labels.kind !== 'map') {
    throw new Error(`BUG: ids and labels were asked for, and ${ids.kind} and ${labels.kind} came`);
  }
  const metricOf = textReader(columnNamed(block, 'metric'));
  const nameOf = textReader(labels.keys);
  const textOf = textReader(labels.values);
  let from = 0;
  for (let row = 0; row < block.rowCount; row++) {
    const to = labels.ends[row];
    const pairs: [string, string][] = [[metricNameLabel, metricOf(row)]];
    for (let i = from; i < to; i++) pairs.push([nameOf(i), textOf(i)]);
    from = to;
    series.push({ idHigh: ids.words[2 * row + 1], idLow: ids.words[2 * row], labels: inOrder(pairs) });
  }
}

/** Sorted labels without empty values; they mostly are so already. */
function inOrder(pairs: [string, string][]): Labels {
  for (let i = 0; i < pairs.length; i++) {
    if (pairs[i][1] === '' || (i > 0 && pairs[i - 1][0] >= pairs[i][0])) return sortLabels(pairs);
  }
  return pairs;
}

/** Strings of a dictionary are made once; elsewhere a repeat of the one before is. */
function textReader(column: Column): (row: number) => string {
  if (column.kind === 'dictionary' && column.keys.kind === 'string') {
    const { keys, indexes } = column;
    const texts = Array.from(keys.starts, (_start, key) => stringAt(keys, key));
    return (row) => texts[indexes[row]];
  }
  if (column.kind === 'string') return plainReader(column);
  throw new Error(`BUG: a column of text was asked for and ${column.kind} came`);
}

function plainReader({ bytes, starts, ends }: StringColumn): (row: number) => string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => buffer.toString('utf8', starts[row], ends[row]);
}
