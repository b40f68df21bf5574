/**
 * What one webhook has been told, so that the resends that Alertmanager needs do not reach it. An alert is news when its
 * status changed, when its last message failed, or when it has fired for another repeat interval.
 */
import { resolvedRetentionMs } from '../alert-state.ts';
import { type AlertNotice, fingerprint, type NoticeBatch } from './alert-notice.ts';

/** Alertmanager's default: a webhook hears of an alert again when it has fired for so long. */
const repeatIntervalMs = 4 * 3_600_000;
const pruneIntervalMs = 60_000;

interface Told {
  readonly status: AlertNotice['status'];
  readonly changedAtMs: number;
  readonly toldAtMs: number;
  delivery: 'open' | 'done' | 'failed';
}

export class ToldMemory {
  readonly #told = new Map<string, Told>();
  #prunedAtMs = 0;

  /**
   * Returns the notices that are news, and remembers them as told. `isRestDelivered` is whether the webhook has taken
   * all the others: they may still be on their way.
   */
  takeNews(batch: NoticeBatch): { news: AlertNotice[]; isRestDelivered: boolean } {
    this.#prune(batch.timeMs);
    let isRestDelivered = true;
    const news = batch.notices.filter((notice) => {
      const key = keyOf(batch, notice);
      const told = this.#told.get(key) ?? storedMemory(notice);
      if (told !== undefined && !isNews(told, notice, batch.timeMs)) {
        isRestDelivered &&= told.delivery === 'done';
        return false;
      }
      this.#told.set(key, {
        status: notice.status,
        changedAtMs: notice.changedAtMs,
        toldAtMs: batch.timeMs,
        delivery: 'open',
      });
      return true;
    });
    return { news, isRestDelivered };
  }

  /** Says how the message with these notices ended. After a failure, the next resend is news again. */
  settle(batch: NoticeBatch, notices: readonly AlertNotice[], isAccepted: boolean): void {
    for (const notice of notices) {
      const told = this.#told.get(keyOf(batch, notice));
      // The alert may have changed again meanwhile: then this message says nothing about its last one.
      if (told?.toldAtMs === batch.timeMs) told.delivery = isAccepted ? 'done' : 'failed';
    }
  }

  #prune(nowMs: number): void {
    if (nowMs - this.#prunedAtMs < pruneIntervalMs) return;
    this.#prunedAtMs = nowMs;
    for (const [key, told] of this.#told) {
      const keptMs = told.status === 'resolved' ? 2 * resolvedRetentionMs : 2 * repeatIntervalMs;
      if (nowMs - told.toldAtMs > keptMs) this.#told.delete(key);
    }
  }
}

function keyOf(batch: NoticeBatch, notice: AlertNotice): string {
  return JSON.stringify([batch.tenant, batch.namespace, batch.group, batch.rule, fingerprint(notice.labels)]);
}

/** After a restart: what the last process delivered to every receiver is told. */
function storedMemory(notice: AlertNotice): Told | undefined {
  if (notice.sentAtMs === undefined || notice.sentAtMs < notice.changedAtMs) return undefined;
  return {
    status: notice.status,
    changedAtMs: notice.changedAtMs,
    toldAtMs: notice.sentAtMs,
    delivery: 'done',
  };
}

function isNews(told: Told, notice: AlertNotice, timeMs: number): boolean {
  if (told.status !== notice.status || told.changedAtMs !== notice.changedAtMs) return true;
  if (told.delivery === 'failed') return true;
  return notice.status === 'firing' && timeMs - told.toldAtMs >= repeatIntervalMs;
}
