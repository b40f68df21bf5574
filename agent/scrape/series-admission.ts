/**
 * From the labels of a page's series to the labels that are stored: the target's are added, relabeling may change or drop
 * them, limits are checked. Asked once for each series text (Prometheus, scrape_config).
 *
 *   {__name__: up, job: own} of a target {job: api}  ->  up{exported_job="own",job="api"}, or up{job="own"} if labels are honored
 */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { ScrapeLimits } from './scrape-settings.ts';

export interface AdmissionSettings {
  readonly targetLabels: Labels;
  readonly isHonoringLabels: boolean;
  readonly limits: ScrapeLimits;
  readonly relabel?: ((labels: Labels) => Labels | undefined) | undefined;
}

const insertionSortMax = 32;

/** A series over a limit: its page fails as a whole. */
export class SeriesLimitError extends Error {
  override readonly name = 'SeriesLimitError';
}

/** Returns the labels of a series, or undefined where relabeling drops it. Throws SeriesLimitError. */
export function admitSeries(
  pageLabels: ReadonlyMap<string, string>,
  { targetLabels, isHonoringLabels, limits, relabel }: AdmissionSettings,
): Labels | undefined {
  const merged = isHonoringLabels
    ? withHonoredLabels(pageLabels, targetLabels)
    : withTargetLabels(pageLabels, targetLabels);
  const labels = relabel ? relabel(merged) : merged;
  if (labels === undefined) return undefined;
  const name = labels.find(([label]) => label === metricNameLabel)?.[1] ?? '';
  if (name === '') {
    throw new SeriesLimitError(
      `metric relabeling left ${pageLabels.get(metricNameLabel)} without a name (${metricNameLabel})`,
    );
  }
  checkLimits(labels, name, limits);
  return labels;
}

/** Returns the labels of a page's series with its target's, which win: the page's are kept as exported_<name>. */
export function withTargetLabels(labels: ReadonlyMap<string, string>, targetLabels: Labels): Labels {
  const merged: (readonly [string, string])[] = [...targetLabels];
  const renamed: [string, string][] = [];
  for (const pair of labels) {
    if (pair[1] === '') continue;
    if (targetLabels.some(([name]) => name === pair[0])) renamed.push(pair);
    else merged.push(pair);
  }
  if (renamed.length > 0) renameInto(merged, renamed, labels);
  return sortedPairs(merged);
}

function renameInto(
  merged: (readonly [string, string])[],
  renamed: readonly [string, string][],
  labels: ReadonlyMap<string, string>,
): void {
  const names = new Set(merged.map(([name]) => name));
  for (const [name, value] of renamed) {
    let free = `exported_${name}`;
    while (names.has(free) || (labels.get(free) ?? '') !== '') free = `exported_${free}`;
    names.add(free);
    merged.push([free, value]);
  }
}

/** Sorts in place, as sortLabels does: few pairs are sorted faster by insertion. */
function sortedPairs(pairs: (readonly [string, string])[]): Labels {
  if (pairs.length > insertionSortMax) return sortLabels(pairs);
  for (let i = 1; i < pairs.length; i++) {
    const pair = pairs[i]!;
    let at = i;
    for (; at > 0 && pairs[at - 1]![0] > pair[0]; at--) pairs[at] = pairs[at - 1]!;
    pairs[at] = pair;
  }
  return pairs;
}

/** Returns the labels of a page's series with those of its target that it does not have, empty ones included. */
export function withHonoredLabels(labels: ReadonlyMap<string, string>, targetLabels: Labels): Labels {
  return sortLabels(new Map([...targetLabels, ...labels]));
}

function checkLimits(labels: Labels, metric: string, limits: ScrapeLimits): void {
  if (limits.labels > 0 && labels.length > limits.labels) {
    throw new SeriesLimitError(`${metric} has ${labels.length} labels, the limit is ${limits.labels}`);
  }
  if (limits.labelNameBytes === 0 && limits.labelValueBytes === 0) return;
  for (const [name, value] of labels) {
    checkBytes(metric, `the label name ${shortened(name)}`, name, limits.labelNameBytes);
    checkBytes(metric, `the value of the label ${shortened(name)}`, value, limits.labelValueBytes);
  }
}

function checkBytes(metric: string, what: string, text: string, bytesMax: number): void {
  if (bytesMax === 0 || text.length * 3 <= bytesMax) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) {
    throw new SeriesLimitError(`${shortened(metric)}: ${what} has ${bytes} bytes, the limit is ${bytesMax}`);
  }
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
