/** What the Kafka producer has done since it started, as metrics, and for whoever asks. */
import { metrics } from '@opentelemetry/api';

const descriptions = {
  messages: 'Messages that are durable, by topic.',
  batches: 'Record batches that are durable, by topic.',
  plain_bytes: 'Bytes of those batches before compression, by topic.',
  batch_bytes: 'Bytes of those batches as they were sent, by topic.',
  retries: 'Attempts that failed and were repeated, by topic and error.',
  splits:
    'Times that a batch or a request was cut in two because it was over the limit of its topic, by topic.',
  refused_records: 'Records that no topic takes, by topic and reason: these are lost.',
  producer_ids:
    'Producer ids that were fetched, by topic and reason (start, or the error that cost the last one).',
} as const;

export type ProducerCounter = keyof typeof descriptions;

const meter = metrics.getMeter('sonde');
const instruments = new Map(
  Object.entries(descriptions).map(([name, description]) => [
    name,
    meter.createCounter(`sonde.agent.kafka.${name}`, { description }),
  ]),
);

export class ProducerCounters {
  readonly #totals = new Map<ProducerCounter, number>();

  add(
    name: ProducerCounter,
    count: number,
    labels: { readonly topic: string } & Record<string, string>,
  ): void {
    this.#totals.set(name, this.total(name) + count);
    instruments.get(name)!.add(count, labels);
  }

  total(name: ProducerCounter): number {
    return this.#totals.get(name) ?? 0;
  }
}

/** What is under way now. */
export interface ProducerGauges {
  readonly bytes: number;
  readonly requests: number;
  readonly waitingCount: number;
  /** Partitions whose batch is being retried, and when the first of them began to wait (Unix ms). */
  readonly troubledCount: number;
  readonly troubledSinceMs: number | undefined;
}

/** Starts observing; returns how to end it. */
export function observeProducer(look: () => ProducerGauges): () => void {
  const gauges = [
    ['inflight_bytes', 'Bytes of requests that are not durable yet.', (now: ProducerGauges) => now.bytes],
    ['inflight_requests', 'Requests that are not durable yet.', (now: ProducerGauges) => now.requests],
    [
      'waiting_requests',
      'Requests that wait because too many bytes or requests are under way.',
      (now: ProducerGauges) => now.waitingCount,
    ],
    [
      'troubled_partitions',
      'Topics and partitions whose last attempt failed and is going to be repeated.',
      (now: ProducerGauges) => now.troubledCount,
    ],
    [
      'troubled_seconds',
      'How long the first of them has waited; 0 where none does.',
      ({ troubledSinceMs }: ProducerGauges) =>
        troubledSinceMs === undefined ? 0 : (Date.now() - troubledSinceMs) / 1000,
    ],
  ] as const;
  const ends = gauges.map(([name, description, read]) => {
    const gauge = meter.createObservableGauge(`sonde.agent.kafka.${name}`, { description });
    const observe = (result: { observe(value: number): void }): void => result.observe(read(look()));
    gauge.addCallback(observe);
    return () => gauge.removeCallback(observe);
  });
  return () => {
    for (const end of ends) end();
  };
}
