/**
 * What discovery says of a target becomes a target to scrape, or the reason why it is none (Prometheus, scrape.PopulateLabels).
 *
 *   { __address__: 'a:80', __meta_zone: 'z' } of job `node`
 *     ->  { url: 'http://a:80/metrics', labels: [instance=a:80, job=node], ... }
 */
import { type LabelSet, relabel } from '#agent/relabel/relabel.ts';
import type { ResolvedTarget, ScrapeSettings } from '#agent/scrape/scrape-settings.ts';
import { sortLabels } from '#model/labels.ts';
import { formatDuration, parseDuration } from './config-values.ts';
import type { ScrapeJob } from './scrape-job.ts';

export type Resolution =
  | { readonly kind: 'target'; readonly target: ResolvedTarget }
  /** Dropped by a relabel rule. */
  | { readonly kind: 'dropped'; readonly discoveredLabels: Readonly<Record<string, string>> }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Never throws: what discovery brings is not under the operator's control. */
export function populateLabels(
  discovered: Readonly<Record<string, string>>,
  groupLabels: Readonly<Record<string, string>>,
  job: ScrapeJob,
): Resolution {
  const labels = labelsBeforeRelabeling(discovered, groupLabels, job);
  const discoveredLabels = Object.fromEntries(sortLabels(labels));
  if (!relabel(labels, job.relabelRules)) return { kind: 'dropped', discoveredLabels };
  const address = labels.get('__address__') ?? '';
  const times = scrapeTimes(labels, job.isTimeoutCut ?? false);
  const invalid = (reason: string): Resolution => ({ kind: 'invalid', reason: `${job.name}: ${reason}` });
  if (address === '') return invalid('a target without __address__');
  if (typeof times === 'string') return invalid(`${address}: ${times}`);
  const url = targetUrl(labels, address, job);
  if ('fault' in url) return invalid(url.fault);
  if (!labels.has('instance')) labels.set('instance', address);
  for (const [name, value] of Object.entries(job.externalLabels)) {
    if (!labels.has(name)) labels.set(name, value);
  }
  const bad = [...labels].find(([, value]) => !value.isWellFormed());
  if (bad !== undefined) return invalid(`${address}: the value of label "${bad[0]}" is not valid UTF-8`);
  return {
    kind: 'target',
    target: {
      url: url.url,
      labels: sortLabels([...labels].filter(([name]) => !name.startsWith('__'))),
      settings: settingsWith(job.settings, times),
      scrapePool: job.name,
      discoveredLabels,
    },
  };
}

function labelsBeforeRelabeling(
  discovered: Readonly<Record<string, string>>,
  groupLabels: Readonly<Record<string, string>>,
  job: ScrapeJob,
): LabelSet {
  const labels: LabelSet = new Map();
  const set = (name: string, value: string): void => {
    if (value !== '') labels.set(name, value);
  };
  for (const [name, value] of Object.entries(discovered)) set(name, value);
  for (const [name, value] of Object.entries(groupLabels)) {
    if (!Object.hasOwn(discovered, name)) set(name, value);
  }
  const defaults: readonly (readonly [string, string])[] = [
    ['job', job.name],
    ['__scrape_interval__', formatDuration(job.settings.intervalMs)],
    ['__scrape_timeout__', formatDuration(job.settings.timeoutMs)],
    ['__metrics_path__', job.metricsPath],
    ['__scheme__', job.scheme],
    ...Object.entries(job.params).map(([name, values]) => [`__param_${name}`, values[0] ?? ''] as const),
  ];
  for (const [name, value] of defaults) if (!labels.has(name)) set(name, value);
  return labels;
}

interface ScrapeTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** A rule may have set times of its own. Returns what is wrong with them. */
function scrapeTimes(labels: LabelSet, isTimeoutCut: boolean): ScrapeTimes | string {
  const read = (name: string): number | string => {
    const text = labels.get(name) ?? '';
    const ms = parseDuration(text);
    if (ms === undefined) return `${name} is no duration: "${text}"`;
    return ms === 0 ? `${name} must not be 0` : ms;
  };
  const intervalMs = read('__scrape_interval__');
  const timeoutMs = read('__scrape_timeout__');
  if (typeof intervalMs === 'string') return intervalMs;
  if (typeof timeoutMs === 'string') return timeoutMs;
  if (timeoutMs > intervalMs) {
    if (isTimeoutCut) return { intervalMs, timeoutMs: intervalMs };
    return `__scrape_timeout__ (${formatDuration(timeoutMs)}) is greater than __scrape_interval__ (${formatDuration(intervalMs)})`;
  }
  return { intervalMs, timeoutMs };
}

/** The same object as long as the times are the job's own: thousands of targets share it. */
function settingsWith(settings: ScrapeSettings, { intervalMs, timeoutMs }: ScrapeTimes): ScrapeSettings {
  if (settings.intervalMs === intervalMs && settings.timeoutMs === timeoutMs) return settings;
  return { ...settings, intervalMs, timeoutMs };
}

function targetUrl(labels: LabelSet, address: string, job: ScrapeJob): { url: string } | { fault: string } {
  if (address.includes('/')) {
    return { fault: `"${address}" is no valid address: a path belongs into __metrics_path__` };
  }
  const scheme = labels.get('__scheme__') ?? '';
  if (scheme !== 'http' && scheme !== 'https') {
    return { fault: `${address}: __scheme__ is "${scheme}", neither http nor https` };
  }
  const base = `${scheme}://${address}`;
  if (!/^[^?#@\s\\]+$/.test(address) || !URL.canParse(base)) {
    return { fault: `"${address}" is no valid address: expected a host and port such as 127.0.0.1:8080` };
  }
  const url = new URL(base);
  url.pathname = labels.get('__metrics_path__') ?? '';
  url.search = searchOf(labels, job).toString();
  // As Prometheus shows it: the address as it is, with a port that a URL would leave out.
  return { url: `${base}${url.pathname}${url.search}` };
}

/** `params` of the job; the first value of each is a label as well, so that rules can set it. */
function searchOf(labels: LabelSet, job: ScrapeJob): URLSearchParams {
  const params = new Map(Object.entries(job.params).map(([name, values]) => [name, [...values]]));
  for (const [label, value] of labels) {
    if (!label.startsWith('__param_')) continue;
    const name = label.slice('__param_'.length);
    params.set(name, [value, ...(params.get(name)?.slice(1) ?? [])]);
  }
  const search = new URLSearchParams();
  for (const [name, values] of params) for (const value of values) search.append(name, value);
  search.sort();
  return search;
}
