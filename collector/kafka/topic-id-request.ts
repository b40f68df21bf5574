/**
 * One Metadata request (Kafka protocol, Metadata v10, KIP-516) over kafkajs's connections: what id a topic has. A topic
 * that is deleted and made anew has another one. kafkajs itself knows no version with ids.
 *
 *   request  => tags topics:[topic_id:uuid name:string tags] allow_auto_topic_creation:bool operations:bool operations:bool tags
 *   answer   => tags throttle_time_ms:i32 [node_id:i32 host:string port:i32 rack:string tags] cluster_id:string
 *               controller_id:i32 topics:[error_code:i16 name:string topic_id:uuid ...] ...
 *
 * Of flexible versions (KIP-482): lengths are unsigned varints and one too large, 0 is null; tags are a count and fields.
 */
import { createRequire } from 'node:module';
import { DecodeError } from '#model/errors.ts';
import type { Broker } from './cluster.ts';

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder.js') as {
  new (): { writeBufferInternal(buffer: Buffer): void };
};
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  readonly createErrorFromCode: (code: number) => Error;
};
const metadataKey = 3;
/** The first one with ids, of Kafka 2.8. */
const version = 10;
const idBytes = 16;
const varintBytesMax = 5;

interface TopicIdAnswer {
  readonly errorCode: number;
  readonly id: string;
  /** kafkajs waits so long before it asks this broker again. */
  readonly clientSideThrottleTime: number;
}

/**
 * Returns the topic's id as Kafka's tools write it (base64url, 22 characters), '' where the broker or the topic has none.
 * Rejects with the broker's error, where it does not know the topic, too.
 */
export async function topicIdOf(broker: Broker, topic: string): Promise<string> {
  if ((broker.versions?.[metadataKey]?.maxVersion ?? 0) < version) return '';
  const { id } = await broker.connectionPool.send<TopicIdAnswer>({
    request: {
      apiKey: metadataKey,
      apiVersion: version,
      apiName: 'Metadata',
      encode: async () => encode(topic),
    },
    response: {
      decode: async (payload) => decodeTopicId(payload),
      parse: async (answer) => {
        if (answer.errorCode !== 0) throw createErrorFromCode(answer.errorCode);
        return answer;
      },
    },
  });
  return id;
}

function encode(topic: string): object {
  const name = Buffer.from(topic);
  // A topic's name has 249 bytes at most: its length takes two.
  const length = name.length + 1;
  const encoder = new Encoder();
  encoder.writeBufferInternal(
    Buffer.concat([
      Buffer.of(0, 2),
      Buffer.alloc(idBytes),
      length < 0x80 ? Buffer.of(length) : Buffer.of((length & 0x7f) | 0x80, length >> 7),
      name,
      Buffer.of(0, 0, 0, 0, 0),
    ]),
  );
  return encoder;
}

/** Reads an answer that is of one topic. Throws DecodeError. */
export function decodeTopicId(payload: Buffer): TopicIdAnswer {
  const reader = new FlexibleReader(payload);
  reader.tags();
  const clientSideThrottleTime = reader.int32();
  for (let brokers = reader.varint() - 1; brokers > 0; brokers--) {
    reader.skip(4);
    reader.skipText();
    reader.skip(4);
    reader.skipText();
    reader.tags();
  }
  reader.skipText();
  reader.skip(4);
  if (reader.varint() !== 2) throw new DecodeError("the broker's answer is not of one topic", 0);
  const errorCode = reader.int16();
  reader.skipText();
  const id = reader.bytes(idBytes);
  return {
    errorCode,
    id: id.every((byte) => byte === 0) ? '' : id.toString('base64url'),
    clientSideThrottleTime,
  };
}

class FlexibleReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  varint(): number {
    let value = 0;
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.bytes(1)[0]!;
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) return value;
    }
    throw new DecodeError("the broker's answer has too long a number", this.#at);
  }

  skipText(): void {
    this.skip(Math.max(0, this.varint() - 1));
  }

  tags(): void {
    for (let count = this.varint(); count > 0; count--) {
      this.varint();
      this.skip(this.varint());
    }
  }

  skip(length: number): void {
    this.bytes(length);
  }

  bytes(length: number): Buffer {
    const start = this.#at;
    if (start + length > this.#buffer.length) throw new DecodeError("the broker's answer is cut off", start);
    this.#at += length;
    return this.#buffer.subarray(start, this.#at);
  }
}
