/**
 * What one protocol's receiver has taken and lost since the start. Plain numbers on the hot path; instruments read them.
 */
import { metrics, type ObservableResult } from '@opentelemetry/api';

export class ReceiveCounts {
  readonly protocol: string;
  /** Messages, events or metric lines that came. */
  received = 0;
  receivedBytes = 0;
  /** Records that the next station has taken durably. */
  delivered = 0;
  /** Messages with bytes that were not UTF-8, which are U+FFFD now. */
  repaired = 0;
  connections = 0;
  /** Kept, but not as their format means them: by reason. */
  readonly malformed = new Map<string, number>();
  /** Lost: by reason. */
  readonly dropped = new Map<string, number>();
  /** Datagrams that the kernel had no room for: asked when somebody looks. */
  kernelDrops: () => number = () => 0;

  constructor(protocol: string) {
    this.protocol = protocol;
  }

  addMalformed(reason: string, count = 1): void {
    this.malformed.set(reason, (this.malformed.get(reason) ?? 0) + count);
  }

  addDropped(reason: string, count = 1): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
  }
}

/** Starts observing; call it once for all receivers of the process, after the SDK has started. */
export function observeReceivers(all: readonly ReceiveCounts[]): void {
  const meter = metrics.getMeter('sonde');
  const count = (name: string, description: string, read: (counts: ReceiveCounts) => number): void =>
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const counts of all) result.observe(read(counts), { protocol: counts.protocol });
    });
  count('sonde.agent.receive.records', 'Messages that were received.', ({ received }) => received);
  count(
    'sonde.agent.receive.bytes',
    'Bytes of messages that were received.',
    ({ receivedBytes }) => receivedBytes,
  );
  count(
    'sonde.agent.receive.records_delivered',
    'Records that the next station has confirmed.',
    ({ delivered }) => delivered,
  );
  count(
    'sonde.agent.receive.records_repaired',
    'Messages with bytes that were not UTF-8.',
    ({ repaired }) => repaired,
  );
  meter
    .createObservableGauge('sonde.agent.receive.connections', { description: 'Connections that are open.' })
    .addCallback((result) => {
      for (const { protocol, connections } of all) result.observe(connections, { protocol });
    });
  const countReasons = (
    name: string,
    description: string,
    read: (counts: ReceiveCounts) => ReasonMap,
  ): void =>
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const counts of all) observeReasons(result, counts.protocol, read(counts));
    });
  countReasons(
    'sonde.agent.receive.records_malformed',
    'Messages that were kept as they came, by reason.',
    ({ malformed }) => malformed,
  );
  countReasons(
    'sonde.agent.receive.lost',
    'What was received and lost, by reason.',
    ({ dropped }) => dropped,
  );
}

/** What the receiver has lost, and what the kernel has lost before it. */
export function lostReasons({ dropped, kernelDrops }: ReceiveCounts): ReasonMap {
  const count = kernelDrops();
  return count === 0 ? dropped : new Map([...dropped, ['kernel_buffer_full', count]]);
}

type ReasonMap = ReadonlyMap<string, number>;

function observeReasons(result: ObservableResult, protocol: string, reasons: ReasonMap): void {
  for (const [reason, count] of reasons) result.observe(count, { protocol, reason });
}
