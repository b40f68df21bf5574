/**
 * The unit that travels from an agent to a collector, whatever carries it (HTTP or Kafka): one standard request
 * body (OTLP export request or Prometheus remote write 2.0), uncompressed, with the facts that its headers carry.
 */

/** The four kinds of body on the bus. `remote_write` is a Prometheus remote write 2.0 Request. */
export const signals = ['logs', 'traces', 'metrics', 'remote_write'] as const;
export type Signal = (typeof signals)[number];

export interface Envelope {
  readonly signal: Signal;
  readonly tenant: string;
  /**
   * The identity of these bytes: the store lands one batchId once, however often it is sent.
   * Whoever retries must send the same bytes under the same id. 1 to 128 of the characters A-Z a-z 0-9 . _ : / -
   */
  readonly batchId: string;
  /** The Kafka partition key; order is kept among envelopes of one key. */
  readonly key: string;
  /** The protobuf body, not compressed. Must not change after it was sent. */
  readonly bytes: Uint8Array;
  /** Nobody else sees the buffer that `bytes` are in, or what else is in it: it may be moved to another thread. */
  readonly isMovable?: boolean;
}

/** What the next station did with an envelope: `rejected` records were refused for good, the others are durable. */
export interface Delivery {
  /** Records that are durable now; undefined where the next station cannot know (Kafka). */
  readonly accepted?: number;
  /** Native histograms among the accepted. */
  readonly histograms?: number | undefined;
  /** Exemplars that are durable now, on top of the accepted. */
  readonly exemplars?: number | undefined;
  readonly rejected: number;
  /** Why, for a person; '' where nothing was rejected. */
  readonly reason: string;
}

/** Hands an envelope to the next station. */
export interface Transport {
  /**
   * Must resolve only when the envelope is durable downstream, and nothing reads its bytes any more: the sender may free
   * them then. Retries on its own until it is, or until `abort`.
   * Rejects with RefusedError where the next station refuses the bytes for good: the caller counts them as lost.
   * Rejects with the abort reason when `abort` fires; the envelope may or may not have landed then.
   */
  send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery>;
  /** 'ok', or why envelopes wait: shown on the status line and by /ready. */
  state(): string;
  /** Must be called after the last send settled. */
  close(): Promise<void>;
}

/** Takes an envelope that a listener received. Same contract as Transport.send, except that it may reject with
 * UnavailableError instead of retrying: the pusher is told to come again. */
export interface EnvelopeSink {
  (envelope: Envelope): Promise<Delivery>;
  /**
   * Resolves when an envelope of this signal would be used soon: until then its body is better kept as it came. Rejects
   * with the reason of `abort`. Absent where that is always so.
   */
  readonly whenRoom?: (signal: Signal, abort: AbortSignal) => Promise<void>;
}
