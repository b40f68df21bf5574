/** What a consumer is at, as metrics: how far behind it is, and what it holds. */
import { metrics, type ObservableResult } from '@opentelemetry/api';
import type { KafkaConsumerStatus } from './consumer.ts';

/** Series of one collector: partitions beyond are in those of their topics alone. */
const partitionSeriesMax = 500;

const meter = metrics.getMeter('sonde');
const lag = meter.createObservableGauge('sonde.kafka.consumer.lag', {
  description: `Messages that are in the log and not stored yet, by topic and partition, of the first ${partitionSeriesMax} that this collector has.`,
});
const topicLag = meter.createObservableGauge('sonde.kafka.consumer.topic_lag', {
  description:
    'Messages that are in the log and not stored yet, of all partitions that this collector has, by topic.',
});
const lagSeconds = meter.createObservableGauge('sonde.kafka.consumer.lag_seconds', {
  description: `Age of the oldest message that is not stored yet, by topic and partition, of the first ${partitionSeriesMax} that this collector has.`,
  unit: 's',
});
const topicLagSeconds = meter.createObservableGauge('sonde.kafka.consumer.topic_lag_seconds', {
  description:
    'Age of the oldest message that is not stored yet in any partition that this collector has, by topic.',
  unit: 's',
});
const waiting = meter.createObservableGauge('sonde.kafka.consumer.waiting_partitions', {
  description:
    'Partitions that do not go on: an insert, a commit or a fetch fails and is repeated. By topic.',
});
const held = meter.createObservableGauge('sonde.kafka.consumer.held', {
  description:
    'Bytes held: fetched (compressed, waiting or in a run) and inflated (of runs under way), by state.',
  unit: 'By',
});

/** Observes until the function that is returned is called. */
export function observeConsumer(status: () => KafkaConsumerStatus): () => void {
  const observed: [typeof lag, (result: ObservableResult) => void][] = [
    [lag, (result) => byPartition(status(), (each, of) => result.observe(each.lag, of))],
    [lagSeconds, (result) => byPartition(status(), (each, of) => result.observe(each.lagSeconds, of))],
    [
      topicLag,
      (result) =>
        byTopic(
          status(),
          (each) => each.lag,
          (a, b) => a + b,
          result,
        ),
    ],
    [topicLagSeconds, (result) => byTopic(status(), (each) => each.lagSeconds, Math.max, result)],
    [
      waiting,
      (result) =>
        byTopic(
          status(),
          (each) => (each.isWaiting ? 1 : 0),
          (a, b) => a + b,
          result,
        ),
    ],
    [
      held,
      (result) => {
        const { fetchedBytes, inflatedBytes } = status();
        result.observe(fetchedBytes, { state: 'fetched' });
        result.observe(inflatedBytes, { state: 'inflated' });
      },
    ],
  ];
  for (const [gauge, callback] of observed) gauge.addCallback(callback);
  return () => {
    for (const [gauge, callback] of observed) gauge.removeCallback(callback);
  };
}

type Partition = KafkaConsumerStatus['partitions'][number];

function byPartition(
  { partitions }: KafkaConsumerStatus,
  observe: (each: Partition, of: { topic: string; partition: number }) => void,
): void {
  for (const each of partitions.slice(0, partitionSeriesMax)) {
    observe(each, { topic: each.topic, partition: each.partition });
  }
}

function byTopic(
  { partitions }: KafkaConsumerStatus,
  numberOf: (each: Partition) => number,
  join: (a: number, b: number) => number,
  result: ObservableResult,
): void {
  const totals = new Map<string, number>();
  for (const each of partitions) totals.set(each.topic, join(totals.get(each.topic) ?? 0, numberOf(each)));
  for (const [topic, value] of totals) result.observe(value, { topic });
}
