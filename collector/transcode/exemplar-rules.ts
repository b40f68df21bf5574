/** Which exemplars are stored. A refused one takes no sample with it. */
import { isUtf8 } from 'node:buffer';
import type { LabelSet } from './label-set.ts';
import type { RecordWindow } from './record-window.ts';
import type { SeriesRefusal } from './series-rules.ts';

/** OpenMetrics 1.0, Exemplars: code points of all names and values together. Prometheus refuses more, too. */
export const exemplarRunesMax = 128;

/** Refuses more labels than could fit, before they are read: each has a character at least. Undefined where they could. */
export function exemplarCountRefusal(labelCount: number): SeriesRefusal | undefined {
  if (labelCount <= exemplarRunesMax) return undefined;
  return {
    reason: 'exemplar_labels_too_long',
    message: `an exemplar has ${labelCount} labels, which are longer than ${exemplarRunesMax} characters`,
  };
}

/** Returns why an exemplar is refused, or undefined where it is fine. `labels` must be sorted. */
export function exemplarRefusal(
  labels: LabelSet,
  unixMs: number,
  window: RecordWindow,
): SeriesRefusal | undefined {
  const time = window.refusalOfMs(unixMs);
  if (time !== undefined) {
    return { reason: `exemplar_${time}`, message: `an exemplar: ${window.describe(time, unixMs)}` };
  }
  const runes = runeCount(labels);
  if (runes > exemplarRunesMax) {
    return {
      reason: 'exemplar_labels_too_long',
      message: `the labels of an exemplar have ${runes} characters, more than ${exemplarRunesMax}`,
    };
  }
  if (labels.duplicate() === -1 && !hasUnnamed(labels) && isText(labels)) return undefined;
  return {
    reason: 'exemplar_invalid_labels',
    message: 'the labels of an exemplar have a name twice, an empty name, or are not UTF-8',
  };
}

/** Code points of all names and values: bytes that do not continue a character. */
export function runeCount(labels: LabelSet): number {
  let count = 0;
  for (let i = 0; i < labels.count; i++) {
    const pair = labels.order[i];
    count += runesIn(labels, labels.nameStarts[pair], labels.nameLengths[pair]);
    count += runesIn(labels, labels.valueStarts[pair], labels.valueLengths[pair]);
  }
  return count;
}

function runesIn({ text }: LabelSet, start: number, length: number): number {
  let count = 0;
  for (let at = start; at < start + length; at++) if ((text.data.bytes[at] & 0xc0) !== 0x80) count++;
  return count;
}

function hasUnnamed(labels: LabelSet): boolean {
  for (let i = 0; i < labels.count; i++) if (labels.nameLengths[labels.order[i]] === 0) return true;
  return false;
}

function isText(labels: LabelSet): boolean {
  const { bytes } = labels.text.data;
  for (let i = 0; i < labels.count; i++) {
    const pair = labels.order[i];
    const name = labels.nameStarts[pair];
    const value = labels.valueStarts[pair];
    if (!isUtf8(bytes.subarray(name, name + labels.nameLengths[pair]))) return false;
    if (!isUtf8(bytes.subarray(value, value + labels.valueLengths[pair]))) return false;
  }
  return true;
}
