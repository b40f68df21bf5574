/**
 * What stock producers write to Kafka, recorded from the real ones:
 * test/golden/kafka/otel-kafka-exporter.json   the OpenTelemetry Collector's Kafka exporter 0.150.0, one record a line of
 *                                              its encodings, with `include_metadata_keys: [X-Scope-OrgID]`
 * test/golden/kafka/remote-write.json          Prometheus's own prompb 0.309.1 and klauspost's snappy
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Signal } from '#wire/envelope.ts';

export interface ForeignMessage {
  readonly signal: Signal;
  readonly encoding: string;
  readonly key: string | null;
  readonly headers: Record<string, string>;
  readonly value: Buffer;
}

const directory = join(import.meta.dirname, '../golden/kafka');
const read = (name: string): unknown => JSON.parse(readFileSync(join(directory, name), 'utf8'));

export function exporterMessages(): ForeignMessage[] {
  return (read('otel-kafka-exporter.json') as (ForeignMessage & { value: string })[]).map((message) => ({
    ...message,
    value: Buffer.from(message.value, 'base64'),
  }));
}

/** Bytes by what they are: `1.0`, `1.0 snappy`, `2.0`, `2.0 snappy`. */
export function remoteWriteMessages(): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(read('remote-write.json') as Record<string, string>).map(([name, text]) => [
      name,
      Buffer.from(text, 'base64'),
    ]),
  );
}
