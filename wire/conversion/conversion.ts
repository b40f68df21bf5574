/**
 * What turns a foreign body into one of the four bodies of the bus (wire/envelope.ts): the contract of all converters.
 *
 *   convert({ format: 'loki_json', bytes, ... })  ->  { bytes: an OTLP logs request, rejections: [], ... }
 *
 * A converter is a pure function: no I/O, no clock, no memory between two calls; so it runs in any thread.
 */
import { RefusedError } from '#model/errors.ts';
import type { Signal } from '../envelope.ts';
import type { WriterLimit } from '../protobuf/byte-writer.ts';

/** Each format that is converted, and what it becomes. */
export const formatSignals = {
  otlp_json_logs: 'logs',
  otlp_json_traces: 'traces',
  otlp_json_metrics: 'metrics',
  loki_json: 'logs',
  loki_protobuf: 'logs',
  zipkin_json: 'traces',
  influx_lines: 'remote_write',
} as const satisfies Record<string, Signal>;
export type Format = keyof typeof formatSignals;

/** What InfluxDB's write endpoints say in the URL. */
export interface InfluxParameters {
  /** The unit of the timestamps. */
  readonly precision: 'ns' | 'us' | 'ms' | 's' | 'm' | 'h';
  /** '' for none. */
  readonly database: string;
}

export interface ConversionTask {
  readonly format: Format;
  /** The plain body, decompressed. */
  readonly bytes: Uint8Array;
  /** Stands in where an entry has no time of its own. */
  readonly nowUnixNano: bigint;
  /** Of the converted body; over it the request is refused with 413. */
  readonly bytesMax: number;
  readonly influx?: InfluxParameters;
}

export interface Conversion {
  /** Owns its memory: it may be moved to another thread. */
  readonly bytes: Uint8Array;
  /** Entries that are not in `bytes` because they are not valid. */
  readonly rejections: readonly Rejection[];
  /** Values that the format has and the bus has no place for, such as text among samples: left out, no failure. */
  readonly ignored: number;
  /**
   * Whether `nowUnixNano` stands for a missing time. Two equal bodies are then two requests: their hash must not be
   * their identity.
   */
  readonly isClocked: boolean;
}

export interface Rejection {
  /** A word for a metric's label. */
  readonly reason: string;
  readonly count: number;
  /** The first one, in a sentence for a person. */
  readonly message: string;
}

/** The limit of a converted body, for what writes it. */
export function conversionLimit({ bytesMax }: ConversionTask): WriterLimit {
  return {
    bytesMax,
    error: () =>
      new RefusedError(
        `the request takes more than ${bytesMax} bytes when it is converted: send smaller batches, or raise receive.body_bytes_max`,
        413,
      ),
  };
}

/** A message may repeat what was pushed, and that may be megabytes. */
const messageLengthMax = 500;

/** Returns a message short enough for a reply and a log line. */
export function shortMessage(message: string): string {
  return message.length > messageLengthMax ? `${message.slice(0, messageLengthMax)}...` : message;
}

/** Collects rejections by reason, with the message of the first one of each. */
export class RejectionTally {
  readonly #byReason = new Map<string, Rejection>();

  add(reason: string, count: number, message: string): void {
    const before = this.#byReason.get(reason);
    this.#byReason.set(reason, {
      reason,
      count: (before?.count ?? 0) + count,
      message: before?.message ?? shortMessage(message),
    });
  }

  rejections(): readonly Rejection[] {
    return [...this.#byReason.values()];
  }
}
