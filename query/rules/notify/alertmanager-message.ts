/** The JSON of Alertmanager's POST /api/v2/alerts. */
import type { AlertNotice, NoticeBatch } from './alert-notice.ts';

export function renderAlertmanagerMessage(batch: NoticeBatch, notices: readonly AlertNotice[]): string {
  return JSON.stringify(
    notices.map((notice) => ({
      labels: Object.fromEntries(notice.labels),
      annotations: Object.fromEntries(notice.annotations),
      startsAt: new Date(notice.startsAtMs).toISOString(),
      endsAt: new Date(notice.endsAtMs).toISOString(),
      generatorURL: batch.generatorUrl,
    })),
  );
}
