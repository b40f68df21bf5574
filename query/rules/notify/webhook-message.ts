/** The JSON that Alertmanager posts to webhooks, version "4". */
import type { Labels } from '#model/labels.ts';
import { type AlertNotice, fingerprint, type NoticeBatch } from './alert-notice.ts';

/** Go's zero time: a firing alert has no end. */
const zeroTime = '0001-01-01T00:00:00Z';

/** Renders notices of one batch. Grouped by alertname: a group is one rule. */
export function renderWebhookMessage(
  batch: NoticeBatch,
  notices: readonly AlertNotice[],
  externalUrl: string,
): string {
  return JSON.stringify({
    receiver: 'webhook',
    status: notices.some((notice) => notice.status === 'firing') ? 'firing' : 'resolved',
    alerts: notices.map((notice) => ({
      status: notice.status,
      labels: Object.fromEntries(notice.labels),
      annotations: Object.fromEntries(notice.annotations),
      startsAt: new Date(notice.startsAtMs).toISOString(),
      endsAt: notice.status === 'resolved' ? new Date(notice.endsAtMs).toISOString() : zeroTime,
      generatorURL: batch.generatorUrl,
      fingerprint: fingerprint(notice.labels),
    })),
    groupLabels: { alertname: batch.rule },
    commonLabels: Object.fromEntries(common(notices.map((notice) => notice.labels))),
    commonAnnotations: Object.fromEntries(common(notices.map((notice) => notice.annotations))),
    externalURL: externalUrl,
    version: '4',
    groupKey: `${batch.tenant}/${batch.namespace}/${batch.group}:{alertname=${JSON.stringify(batch.rule)}}`,
    truncatedAlerts: 0,
  });
}

function common(sets: readonly Labels[]): Labels {
  const [first = [], ...others] = sets;
  const maps = others.map((labels) => new Map(labels));
  return first.filter(([name, value]) => maps.every((labels) => labels.get(name) === value));
}
