/**
 * Messages for one receiver: sent one after the other, repeated with growing pauses while the receiver is down, dropped
 * and counted when that lasts or the queue is full. A dropped message is not lost news: its alerts are still unsent and
 * come again with the next resend.
 */
import { metrics } from '@opentelemetry/api';
import type { Clock } from '../../clock.ts';
import type { RulesLog } from '../rules-log.ts';
import type { HttpTarget } from './http-target.ts';

export interface Message {
  readonly tenant: string;
  readonly body: string;
  readonly alertCount: number;
  /** Called once with whether the receiver has it. Not called where the queue is stopped first. */
  settled(isAccepted: boolean): void;
}

export type DropReason = 'queue_full' | 'refused' | 'unreachable';

export interface DeliveryCounts {
  sent: number;
  retried: number;
  readonly dropped: Record<DropReason, number>;
}

/** A message holds up to alertsPerMessageMax alerts of a kilobyte or two: 40 MB per receiver that is down. */
const queuedMessagesMax = 300;
const attemptsMax = 6;
const retryDelayMsMin = 1000;
const retryDelayMsMax = 30_000;

const meter = metrics.getMeter('sonde');
const sentCounter = meter.createCounter('sonde.notifications.sent', {
  description: 'Alerts that a receiver has taken.',
});
const droppedCounter = meter.createCounter('sonde.notifications.dropped', {
  description: 'Alerts that were not delivered, by reason; they come again with the next resend.',
});

export class DeliveryQueue {
  /** In alerts, not messages. */
  readonly counts: DeliveryCounts = {
    sent: 0,
    retried: 0,
    dropped: { queue_full: 0, refused: 0, unreachable: 0 },
  };
  readonly #target: HttpTarget;
  readonly #clock: Clock;
  readonly #log: RulesLog;
  readonly #messages: Message[] = [];
  readonly #stopping = new AbortController();
  #worker: Promise<void> | undefined;

  constructor(options: { target: HttpTarget; clock: Clock; log: RulesLog }) {
    this.#target = options.target;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  get messageCount(): number {
    return this.#messages.length;
  }

  /** Queues a message; where the queue is full, the oldest one goes: it is the one that will be told again first. */
  push(message: Message): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#messages.length >= queuedMessagesMax) {
      const oldest = this.#messages.shift();
      if (oldest !== undefined)
        this.#drop(oldest, 'queue_full', `more than ${queuedMessagesMax} messages wait`);
    }
    this.#messages.push(message);
    this.#worker ??= this.#work();
  }

  /** Lets the request in flight end by its abort; what is queued stays unsent and comes again after a restart. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#worker;
  }

  async #work(): Promise<void> {
    for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
      await this.#deliver(message);
      if (this.#stopping.signal.aborted) return;
    }
    this.#worker = undefined;
  }

  async #deliver(message: Message): Promise<void> {
    const abort = this.#stopping.signal;
    let fact = '';
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const outcome = await this.#target.post(message.body, message.tenant, abort);
      if (abort.aborted && outcome.kind !== 'accepted') return;
      if (outcome.kind === 'accepted') {
        this.counts.sent += message.alertCount;
        sentCounter.add(message.alertCount, { receiver: this.#target.host });
        message.settled(true);
        return;
      }
      if (outcome.kind === 'refused') return this.#drop(message, 'refused', outcome.fact);
      fact = outcome.fact;
      if (attempt === attemptsMax) break;
      this.counts.retried += message.alertCount;
      const isStopped = await this.#pause(Math.min(retryDelayMsMin * 2 ** (attempt - 1), retryDelayMsMax));
      if (isStopped) return;
    }
    this.#drop(message, 'unreachable', fact);
  }

  /** Returns whether the queue was stopped meanwhile. */
  async #pause(delayMs: number): Promise<boolean> {
    try {
      await this.#clock.sleep(delayMs, this.#stopping.signal);
      return false;
    } catch (error) {
      if (this.#stopping.signal.aborted) return true;
      throw error;
    }
  }

  #drop(message: Message, reason: DropReason, fact: string): void {
    this.counts.dropped[reason] += message.alertCount;
    droppedCounter.add(message.alertCount, { receiver: this.#target.host, reason });
    this.#log.warn(
      { receiver: this.#target.host, reason, fact, alertCount: message.alertCount },
      'alerts were not delivered',
    );
    message.settled(false);
  }
}
