/**
 * Rules in the labels of a Docker or compose container.
 *
 *   sonde.logs.access=/var/log/nginx/*.log   files in the container, stored under `access`
 *   sonde.logs.web=stdout                    its standard streams are stored under `web`
 *   sonde.logs=false                         its standard streams are not collected
 *   sonde.multiline, sonde.parse, sonde.rate-limit, sonde.logs.<store>.tags
 */
import type { RuleDraft } from './rule-draft.ts';

const prefix = 'sonde.';
const storePrefix = 'sonde.logs.';
const tagsSuffix = '.tags';

export function applySondeLabels(draft: RuleDraft, labels: Readonly<Record<string, string>>): void {
  for (const [label, value] of Object.entries(labels)) {
    if (label.startsWith(prefix)) applyLabel(draft, label, value);
  }
}

function applyLabel(draft: RuleDraft, label: string, value: string): void {
  if (label === 'sonde.logs') draft.collect(label, value);
  else if (label === 'sonde.multiline') draft.multiline(label, value);
  else if (label === 'sonde.parse') draft.parse(label, value);
  else if (label === 'sonde.rate-limit') draft.rateLimit(label, value);
  else if (label.startsWith(storePrefix)) {
    const store = label.slice(storePrefix.length);
    if (store.endsWith(tagsSuffix)) draft.tags(label, value);
    else if (value === 'stdout') draft.store(label, store);
    else draft.file(label, store, value);
  } else {
    draft.problem(
      label,
      'there is no such label: there are sonde.logs, sonde.logs.<store>, sonde.logs.<store>.tags, sonde.multiline, sonde.parse and sonde.rate-limit',
    );
  }
}
