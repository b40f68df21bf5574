/**
 * One Fetch request and its answer (Kafka protocol, Fetch v4 to v11) over kafkajs's connections, but not its decoder: that
 * inflates all that a broker sends at once, and one partition that fails hides the others.
 */
import { createRequire } from 'node:module';
import { DecodeError } from '#model/errors.ts';
import type { AbortedTransaction } from '#wire/kafka/record-batch.ts';
import { type Broker, readCommitted, type TopicPartitions } from './cluster.ts';

export interface FetchOrder {
  /** How long the broker may hold the answer back while it has nothing. */
  readonly waitMsMax: number;
  readonly bytesMax: number;
  readonly topics: readonly TopicPartitions<{ readonly fetchOffset: string; readonly maxBytes: number }>[];
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** The broker's answer where it has nothing for us; its name in `type`, as kafkajs has it. */
  readonly error: Error | undefined;
  readonly highWatermark: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; a view of the whole answer. */
  readonly log: Buffer;
}

interface FetchProtocol {
  protocol(of: {
    readonly version: number;
  }): (request: object) => { readonly request: object; readonly requestTimeout: number };
}

const require = createRequire(import.meta.url);
const fetchProtocol = require('kafkajs/src/protocol/requests/fetch/index.js') as FetchProtocol;
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  readonly createErrorFromCode: (code: number) => Error;
};
const fetchKey = 1;
/** The last one that kafkajs can write; brokers know it since 2.3. */
const versionMax = 11;

/** Rejects where the broker is out of reach, or its answer is none. */
export async function fetchFrom(
  broker: Broker,
  { waitMsMax, bytesMax, topics }: FetchOrder,
): Promise<readonly FetchedPartition[]> {
  const version = Math.min(versionMax, broker.versions?.[fetchKey]?.maxVersion ?? versionMax);
  const { request, requestTimeout } = fetchProtocol.protocol({ version })({
    isolationLevel: readCommitted,
    maxWaitTime: waitMsMax,
    minBytes: 1,
    maxBytes: bytesMax,
    topics,
    rackId: '',
  });
  const { partitions } = await broker.connectionPool.send<FetchAnswer>({
    request,
    requestTimeout,
    response: {
      decode: async (payload) => decodeAnswer(payload, version),
      parse: async (answer) => {
        if (answer.errorCode !== 0) throw createErrorFromCode(answer.errorCode);
        return answer;
      },
    },
  });
  return partitions;
}

interface FetchAnswer {
  readonly errorCode: number;
  /** kafkajs waits so long before it asks this broker again. */
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly FetchedPartition[];
}

/** Fetch Response => throttle_time_ms:i32 (v7: error_code:i16 session_id:i32) [topic [partition]] */
function decodeAnswer(payload: Buffer, version: number): FetchAnswer {
  const reader = new AnswerReader(payload);
  const throttleMs = reader.int32();
  const errorCode = version >= 7 ? reader.int16() : 0;
  if (version >= 7) reader.int32();
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.text();
    for (let count = reader.int32(); count > 0; count--)
      partitions.push(readPartition(reader, topic, version));
  }
  return { errorCode, clientSideThrottleTime: throttleMs, partitions };
}

/**
 * partition => partition:i32 error_code:i16 high_watermark:i64 last_stable_offset:i64 (v5: log_start_offset:i64)
 *              [producer_id:i64 first_offset:i64] (v11: preferred_read_replica:i32) records:bytes
 */
function readPartition(reader: AnswerReader, topic: string, version: number): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = Number(reader.int64());
  reader.int64();
  if (version >= 5) reader.int64();
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.int32(); count > 0; count--) {
    aborted.push({ producerId: reader.int64(), firstOffset: Number(reader.int64()) });
  }
  if (version >= 11) reader.int32();
  const log = reader.bytes();
  const error = errorCode === 0 ? undefined : createErrorFromCode(errorCode);
  return { topic, partition, error, highWatermark, aborted, log };
}

class AnswerReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#skip(4));
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#skip(8));
  }

  text(): string {
    const length = this.int16();
    return this.#buffer.toString('utf8', this.#skip(length), this.#at);
  }

  bytes(): Buffer {
    const length = Math.max(0, this.int32());
    return this.#buffer.subarray(this.#skip(length), this.#at);
  }

  #skip(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#buffer.length) {
      throw new DecodeError("the broker's answer is cut off", start);
    }
    this.#at += length;
    return start;
  }
}
