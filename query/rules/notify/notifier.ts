/**
 * Tells all receivers about alerts: every Alertmanager gets every batch (it keeps its own memory), every webhook gets
 * what is new to it.
 */
import type { Clock } from '../../clock.ts';
import type { RulesLog } from '../rules-log.ts';
import type { AlertNotice, NoticeBatch } from './alert-notice.ts';
import { renderAlertmanagerMessage } from './alertmanager-message.ts';
import { type DeliveryCounts, DeliveryQueue } from './delivery-queue.ts';
import { HttpTarget } from './http-target.ts';
import { ToldMemory } from './told-memory.ts';
import { renderWebhookMessage } from './webhook-message.ts';

export interface NotifierOptions {
  readonly webhooks: readonly string[];
  /** Base URLs; the path of the API is added. */
  readonly alertmanagers: readonly string[];
  readonly externalUrl: string;
  readonly clock: Clock;
  readonly log: RulesLog;
}

export interface ReceiverStatus extends DeliveryCounts {
  readonly kind: 'webhook' | 'alertmanager';
  readonly host: string;
  readonly messageCount: number;
}

/** As Prometheus: keeps a message well under the body limits of common receivers. */
const alertsPerMessageMax = 64;

interface Receiver {
  readonly kind: 'webhook' | 'alertmanager';
  readonly host: string;
  readonly queue: DeliveryQueue;
  readonly memory: ToldMemory | undefined;
}

export class Notifier {
  readonly #receivers: readonly Receiver[];
  readonly #externalUrl: string;

  /** Throws ConfigError where a URL cannot be read. */
  constructor(options: NotifierOptions) {
    const receiver = (kind: Receiver['kind'], target: HttpTarget): Receiver => ({
      kind,
      host: target.host,
      queue: new DeliveryQueue({ target, clock: options.clock, log: options.log }),
      memory: kind === 'webhook' ? new ToldMemory() : undefined,
    });
    this.#receivers = [
      ...options.webhooks.map((url) => receiver('webhook', new HttpTarget(url))),
      ...options.alertmanagers.map((url) => receiver('alertmanager', new HttpTarget(url, '/api/v2/alerts'))),
    ];
    this.#externalUrl = options.externalUrl;
  }

  /** Queues a batch at every receiver; returns at once. */
  send(batch: NoticeBatch): void {
    // One extra, released at the end: a receiver must not complete the batch before the others have their part.
    let open = 1;
    let isWhole = this.#receivers.length > 0;
    const settle = (isAccepted: boolean) => {
      isWhole &&= isAccepted;
      if (--open === 0 && isWhole) batch.delivered();
    };
    for (const receiver of this.#receivers) {
      const told = receiver.memory?.takeNews(batch);
      isWhole &&= told?.isRestDelivered ?? true;
      const notices = told?.news ?? batch.notices;
      for (let start = 0; start < notices.length; start += alertsPerMessageMax) {
        open++;
        this.#queue(receiver, batch, notices.slice(start, start + alertsPerMessageMax), settle);
      }
    }
    settle(true);
  }

  status(): ReceiverStatus[] {
    return this.#receivers.map(({ kind, host, queue }) => ({
      kind,
      host,
      messageCount: queue.messageCount,
      ...queue.counts,
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#receivers.map(({ queue }) => queue.stop()));
  }

  #queue(
    { kind, queue, memory }: Receiver,
    batch: NoticeBatch,
    notices: readonly AlertNotice[],
    settle: (isAccepted: boolean) => void,
  ): void {
    const body =
      kind === 'webhook'
        ? renderWebhookMessage(batch, notices, this.#externalUrl)
        : renderAlertmanagerMessage(batch, notices);
    queue.push({
      tenant: batch.tenant,
      body,
      alertCount: notices.length,
      settled: (isAccepted) => {
        memory?.settle(batch, notices, isAccepted);
        settle(isAccepted);
      },
    });
  }
}
