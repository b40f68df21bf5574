/**
 * What a StatsD name and DogStatsD tags are called in Prometheus: as its statsd_exporter has it.
 *
 *   'api.time', 'route:/a,ok'  ->  __name__="api_time", route="/a", ok="true"
 */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';

/** Of a histogram: a tag with the name of its bucket label is called otherwise. */
const bucketLabel = 'le';

/** `name` and `tags` as they came. `common` are labels that a tag of the same name replaces. */
export function statsdLabels(
  name: string,
  tags: string,
  common: Readonly<Record<string, string>>,
): { readonly name: string; readonly labels: Labels } {
  const labels = new Map(Object.entries(common));
  for (const tag of tags.split(',')) {
    if (tag === '') continue;
    const colon = tag.indexOf(':');
    const key = colon < 0 ? tag : tag.slice(0, colon);
    // An empty label is none to Prometheus, but the tag is there.
    if (key !== '')
      labels.set(labelName(key), colon < 0 || colon === tag.length - 1 ? 'true' : tag.slice(colon + 1));
  }
  return { name: escapeName(name, /[^A-Za-z0-9_:]/g), labels: sortLabels(labels) };
}

/** Labels with two underscores are Prometheus's own. */
function labelName(key: string): string {
  const name = escapeName(key, /[^A-Za-z0-9_]/g);
  return name.startsWith('__') || name === bucketLabel ? `exported_${name.replace(/^_+/, '')}` : name;
}

function escapeName(text: string, unfit: RegExp): string {
  const name = text.replaceAll(unfit, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

/** The labels of one series of a metric. */
export function withName(name: string, labels: Labels, extra?: readonly [string, string]): Labels {
  return sortLabels([[metricNameLabel, name], ...labels, ...(extra === undefined ? [] : [extra])]);
}
