/**
 * What the rules of Alibaba Cloud's collectors (log-pilot, Logtail) mean here, whether they come as labels or variables.
 *
 *   { store: 'access', suffix: '', value: '/var/log/*.log' }  ->  files of the store `access`
 *   { store: 'access', suffix: 'ttl', value: '7' }            ->  a problem: what has no meaning here is named
 */
import type { RuleDraft } from './rule-draft.ts';

export interface AliyunEntry {
  /** The label or variable as it is written. */
  readonly source: string;
  readonly store: string;
  /** '' for the path itself. */
  readonly suffix: string;
  readonly value: string;
}

/** Suffixes that both collectors know, of labels after a dot and of variables after an underscore. */
export const aliyunSuffixes = [
  'tags',
  'format',
  'target',
  'logstore',
  'ttl',
  'project',
  'machinegroup',
  'shard',
  'product',
  'detail',
  'logtailconf',
] as const;

const meaningless: Readonly<Record<string, string>> = {
  ttl: 'how long logs are kept is set for the whole store (store.retention), not for a container',
  project: 'there are no projects: agent.tenant says whose logs these are',
  machinegroup: 'there are no machine groups',
  shard: 'there are no shards: the store spreads its data by itself',
  product: 'there are no product dashboards',
  detail: 'collection details of Logtail are not read: use multiline, parse and rate-limit rules',
  logtailconf: 'collection details of Logtail are not read: use multiline, parse and rate-limit rules',
};

/** `format`: the parser that it names; '' for plain text; undefined where there is none. */
const parsers: Readonly<Record<string, string>> = { none: '', json: 'json' };

export function applyAliyunEntries(draft: RuleDraft, entries: readonly AliyunEntry[]): void {
  const targets = new Map<string, string>();
  for (const { store, suffix, value } of entries) {
    if (suffix === 'target' || suffix === 'logstore') targets.set(store, value);
  }
  const stores = new Set(entries.filter(({ suffix }) => suffix === '').map(({ store }) => store));
  for (const entry of entries) {
    const { source, store, suffix, value } = entry;
    if (suffix === '') applyPath(draft, source, targets.get(store) ?? store, value);
    // Logtail takes tags under any name; everything else belongs to a path.
    else if (suffix === 'tags') draft.tags(source, value);
    else if (Object.hasOwn(meaningless, suffix)) draft.problem(source, meaningless[suffix]!);
    else if (!stores.has(store))
      draft.problem(source, `nothing says which logs ${JSON.stringify(store)} has`);
    else if (suffix === 'format') applyFormat(draft, source, value);
    else if (suffix !== 'target' && suffix !== 'logstore') draft.problem(source, `"${suffix}" is not known`);
  }
}

function applyPath(draft: RuleDraft, source: string, store: string, value: string): void {
  if (value === 'stdout') {
    draft.store(source, store);
  } else if (value === 'stdout-only' || value === 'stderr-only') {
    draft.problem(source, 'both standard streams are collected: the attribute log.iostream tells them apart');
    draft.store(source, store);
  } else {
    draft.file(source, store, value);
  }
}

function applyFormat(draft: RuleDraft, source: string, format: string): void {
  const parser = Object.hasOwn(parsers, format) ? parsers[format] : undefined;
  if (parser === undefined) {
    draft.problem(
      source,
      `there is no parser for the format ${JSON.stringify(format)}: lines stay as they are`,
    );
  } else if (parser !== '') {
    draft.parse(source, parser);
  }
}
