/**
 * How long messages were on their way until they were stored, by topic: since they were produced, and since their first
 * record says that it was written. The clocks are those of other machines; what is negative counts as 0.
 */
import { metrics } from '@opentelemetry/api';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import type { RunRequest } from '../run.ts';

const advice = {
  explicitBucketBoundaries: [
    0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400,
  ],
};
const meter = metrics.getMeter('sonde');
const producedDelay = meter.createHistogram('sonde.kafka.consumer.delay', {
  description: 'Time from a message being produced (its Kafka timestamp) to its being stored, by topic.',
  unit: 's',
  advice,
});
const recordDelay = meter.createHistogram('sonde.kafka.consumer.record_delay', {
  description:
    "Time from a message's first record (its own timestamp, whole seconds) to its being stored, by topic.",
  unit: 's',
  advice,
});

/** `sources` are the messages of the requests. */
export function recordDelays(
  topic: string,
  requests: readonly RunRequest[],
  sources: readonly KafkaRecord[],
  storedMs: number,
): void {
  for (const { timestampMs } of sources) {
    if (timestampMs > 0) producedDelay.record(Math.max(0, (storedMs - timestampMs) / 1000), { topic });
  }
  for (const { note } of requests) {
    // A note begins with that time, in hex; 0 where a record has none. See batch-note.ts.
    const unixSecond = note === undefined ? 0 : Number.parseInt(note.slice(0, 8), 16);
    if (unixSecond > 0) recordDelay.record(Math.max(0, storedMs / 1000 - unixSecond), { topic });
  }
}
