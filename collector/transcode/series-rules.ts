/**
 * What labels a series may have. Names are any UTF-8, as in Prometheus 3; lengths and counts are bounded, because
 * one sender's mistake (a stack trace as a label) would otherwise fill the series table for everyone.
 */
import { isUtf8 } from 'node:buffer';
import { equalBytes } from './byte-copy.ts';
import type { LabelSet } from './label-set.ts';
import { textBytes } from './resource-scope.ts';

/** Labels of one series, the metric's name included. Mimir allows 30 by default, OpenTelemetry resources need more. */
export const seriesLabelsMax = 128;
export const labelNameBytesMax = 1024;
/** Long enough for a command line as a resource attribute on target_info. */
export const labelValueBytesMax = 8192;

export const metricNameKey = textBytes('__name__');

export interface SeriesRefusal {
  readonly reason: string;
  readonly message: string;
}

const utf8 = new TextDecoder();
const exampleBytesMax = 80;

/** Returns the number of the pair whose name is __name__, or -1. */
export function metricNamePair(labels: LabelSet): number {
  const { length } = metricNameKey.bytes;
  for (let i = 0; i < labels.count; i++) {
    const pair = labels.order[i];
    if (
      labels.nameLengths[pair] === length &&
      equalBytes(labels.text.data, labels.nameStarts[pair], metricNameKey, 0, length)
    ) {
      return pair;
    }
  }
  return -1;
}

/** Says why sorted labels are refused, or undefined where they are fine. Labels without a value must be left out. */
export function seriesRefusal(labels: LabelSet): SeriesRefusal | undefined {
  if (metricNamePair(labels) === -1)
    return { reason: 'missing_metric_name', message: 'a series has no label __name__' };
  if (labels.count > seriesLabelsMax) {
    return {
      reason: 'too_many_labels',
      message: `${labels.count} labels ${ofSeries(labels)} are more than ${seriesLabelsMax}`,
    };
  }
  for (let i = 0; i < labels.count; i++) {
    const refusal = pairRefusal(labels, labels.order[i]);
    if (refusal !== undefined) return refusal;
  }
  const duplicate = labels.duplicate();
  if (duplicate === -1) return undefined;
  return {
    reason: 'duplicate_label_name',
    message: `the label ${nameText(labels, duplicate)} ${ofSeries(labels)} is there twice`,
  };
}

function pairRefusal(labels: LabelSet, pair: number): SeriesRefusal | undefined {
  const nameStart = labels.nameStarts[pair];
  const nameLength = labels.nameLengths[pair];
  const valueStart = labels.valueStarts[pair];
  const valueLength = labels.valueLengths[pair];
  const { bytes } = labels.text.data;
  if (nameLength === 0)
    return { reason: 'empty_label_name', message: `a label ${ofSeries(labels)} has no name` };
  if (nameLength > labelNameBytesMax) {
    return {
      reason: 'label_name_too_long',
      message: `the label name ${nameText(labels, pair)} ${ofSeries(labels)} has more than ${labelNameBytesMax} bytes`,
    };
  }
  if (valueLength > labelValueBytesMax) {
    return {
      reason: 'label_value_too_long',
      message: `the value of ${nameText(labels, pair)} ${ofSeries(labels)} has ${valueLength} bytes, more than ${labelValueBytesMax}`,
    };
  }
  if (
    !isUtf8(bytes.subarray(nameStart, nameStart + nameLength)) ||
    !isUtf8(bytes.subarray(valueStart, valueStart + valueLength))
  ) {
    return {
      reason: 'invalid_utf8',
      message: `the label ${nameText(labels, pair)} ${ofSeries(labels)} is not UTF-8`,
    };
  }
  return undefined;
}

/** Names a series by its metric. */
function ofSeries(labels: LabelSet): string {
  const metric = metricNamePair(labels);
  return `of the series ${text(labels, labels.valueStarts[metric], labels.valueLengths[metric])}`;
}

function nameText(labels: LabelSet, pair: number): string {
  return text(labels, labels.nameStarts[pair], labels.nameLengths[pair]);
}

/** Adds to a fact which metric it is about. */
export function inMetric(fact: string, name: Uint8Array): string {
  return `${fact}, in the metric ${shownText(name)}`;
}

function text(labels: LabelSet, start: number, length: number): string {
  return shownText(labels.text.data.bytes.subarray(start, start + length));
}

function shownText(bytes: Uint8Array): string {
  const shown = utf8.decode(bytes.subarray(0, exampleBytesMax));
  return JSON.stringify(bytes.length > exampleBytesMax ? `${shown}...` : shown);
}
