/**
 * The body of a message as one of the four that the pipeline takes: decompressed and converted where it is foreign.
 * The same message gives the same bytes: what has no time of its own gets the message's.
 */
import { RefusedError } from '#model/errors.ts';
import { headerContentEncoding } from '#wire/bus.ts';
import type { ConverterPool } from '#wire/conversion/converter-pool.ts';
import { countRejections } from '#wire/conversion/rejection-counter.ts';
import type { Signal } from '#wire/envelope.ts';
import { headerText, type MessageFacts, type MessageHeaders } from '#wire/kafka/message.ts';
import { recognisePayload } from '#wire/kafka/payload.ts';
import { encodeTextLog } from '#wire/kafka/text-log.ts';
import { decodeContent, expectedPlainBytes } from '#wire/receive/content-encoding.ts';
import { statedSnappyBytes } from '#wire/receive/snappy-content.ts';

export interface MessageReaderOptions {
  readonly pool: ConverterPool;
  /** Of a body, decompressed and after conversion. */
  readonly bodyBytesMax: number;
  /** See PayloadHints. */
  readonly isTextTaken: boolean;
}

/** A copy of 64 bytes takes three. */
const snappyRatioMax = 22;

export interface MessageBody {
  /** In memory of their own. */
  readonly bytes: Uint8Array;
  /** Entries that the conversion left out, already counted by reason. */
  readonly rejected: number;
}

export class MessageReader {
  readonly #options: MessageReaderOptions;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  /**
   * Part of a run's token: what is read differently is another run. With the same one, the store would take a run that
   * an earlier process had begun for landed, and drop what only this one reads in it.
   */
  get tokenSuffix(): string {
    return this.#options.isTextTaken ? '/plain' : '';
  }

  /** Leaves `value` as it is. Throws RefusedError where the body will never be read, with the reason. */
  async read(
    signal: Signal,
    value: Uint8Array,
    facts: MessageFacts,
    timestampMs: number,
  ): Promise<MessageBody> {
    const { bodyBytesMax, isTextTaken, pool } = this.#options;
    const { bytes } = await decodeContent(value, facts.contentEncoding, bodyBytesMax);
    const payload = recognisePayload(signal, bytes, { ...facts, isTextTaken });
    if (payload === 'bus') return whole(bytes === value ? new Uint8Array(bytes) : bytes);
    if (payload === 'snappy') return whole((await decodeContent(bytes, 'snappy', bodyBytesMax)).bytes);
    const timeMs = facts.originTimestampMs ?? timestampMs;
    if (payload === 'text') return whole(encodeTextLog(bytes, timeMs));
    try {
      const conversion = await pool.convert({
        format: payload,
        bytes: bytes === value ? new Uint8Array(bytes) : bytes,
        nowUnixNano: BigInt(Math.max(timeMs, 0)) * 1_000_000n,
        bytesMax: bodyBytesMax,
      });
      countRejections(payload, conversion);
      const rejected = conversion.rejections.reduce((total, { count }) => total + count, 0);
      return { bytes: conversion.bytes, rejected };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      throw new RefusedError(`${payload}: ${error.message}`, error.status, { cause: error });
    }
  }

  /** Returns what a value is expected to take besides itself when it is read, before it is; 0 where it is plain. */
  expectedBytes(signal: Signal, value: Uint8Array, headers: MessageHeaders): number {
    const { bodyBytesMax } = this.#options;
    const encoding = headerText(headers, headerContentEncoding) ?? '';
    if (encoding !== '' && encoding !== 'snappy') return expectedPlainBytes(encoding, value, bodyBytesMax);
    // Protobuf begins with a small byte, and snappy of more than 127 bytes does not.
    if (encoding === '' && (signal !== 'remote_write' || (value[0] ?? 0) < 0x80)) return 0;
    // Who states more than snappy can do is refused when it is read.
    return Math.min(statedSnappyBytes(value), value.length * snappyRatioMax, bodyBytesMax);
  }

  close(): Promise<void> {
    return this.#options.pool.close();
  }
}

function whole(bytes: Uint8Array): MessageBody {
  return { bytes, rejected: 0 };
}
