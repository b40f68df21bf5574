/**
 * Rules in labels as Alibaba Cloud's Container Service and log-pilot write them.
 *
 *   aliyun.logs.catalina=stdout, aliyun.logs.access=/usr/local/tomcat/logs/access.*.txt, aliyun.logs.access.tags=a=1
 *   aliyun.log_store_access=/var/log/access.log, aliyun.log_ttl_access=7
 */
import { type AliyunEntry, aliyunSuffixes, applyAliyunEntries } from './aliyun-entries.ts';
import type { RuleDraft } from './rule-draft.ts';

const dotted = 'aliyun.logs.';
const storePrefix = 'aliyun.log_store_';
const ttlPrefix = 'aliyun.log_ttl_';

export function applyAliyunLabels(draft: RuleDraft, labels: Readonly<Record<string, string>>): void {
  const entries: AliyunEntry[] = [];
  for (const [source, value] of Object.entries(labels)) {
    if (source.startsWith(dotted)) {
      const [store, ...suffix] = source.slice(dotted.length).split('.');
      entries.push({ source, store: store!, suffix: suffix.join('.'), value });
    } else if (source.startsWith(storePrefix)) {
      entries.push({ source, store: source.slice(storePrefix.length), suffix: '', value });
    } else if (source.startsWith(ttlPrefix)) {
      entries.push({ source, store: source.slice(ttlPrefix.length), suffix: 'ttl', value });
    } else if (source === 'aliyun.log.timestamp') {
      draft.problem(source, 'every record has the time that the runtime wrote: there is nothing to switch');
    }
  }
  applyAliyunEntries(draft, entries);
}

const environmentPrefix = 'aliyun_logs_';

/** Is this a variable that applyAliyunEnvironment reads? No other variable of a container is kept. */
export function isAliyunVariable(name: string): boolean {
  return name.startsWith(environmentPrefix);
}

/** `aliyun_logs_access=/var/log/access.log`, `aliyun_logs_access_tags=a=1`: variables of a pod's or compose container. */
export function applyAliyunEnvironment(
  draft: RuleDraft,
  environment: Readonly<Record<string, string>>,
): void {
  const entries = Object.entries(environment)
    .filter(([name]) => isAliyunVariable(name))
    .map(([source, value]): AliyunEntry => {
      const name = source.slice(environmentPrefix.length);
      // For all stores of the container: aliyun_logs_project, aliyun_logs_machinegroup.
      const general = aliyunSuffixes.find((suffix) => suffix === name && suffix !== 'detail');
      if (general !== undefined && value !== 'stdout' && !value.startsWith('/')) {
        return { source, store: '', suffix: general, value };
      }
      const suffix = aliyunSuffixes.find((known) => name.endsWith(`_${known}`)) ?? '';
      return { source, store: suffix === '' ? name : name.slice(0, -suffix.length - 1), suffix, value };
    });
  applyAliyunEntries(draft, entries);
}
