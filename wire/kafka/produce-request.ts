/**
 * The bytes of a Produce request with one batch, and of its answer. Kafka protocol guide, "Produce API" (key 0).
 *
 *   Request  => size:int32 apiKey:int16 apiVersion:int16 correlationId:int32 clientId:string
 *               transactionalId:string(null) acks:int16 timeoutMs:int32 [topic:string [partition:int32 records:bytes]]
 *   Response => [topic:string [partition:int32 errorCode:int16 baseOffset:int64 logAppendTime:int64 logStartOffset:int64
 *               recordErrors:[index:int32 message:string] errorMessage:string]] throttleTimeMs:int32    (the errors from 8 on)
 *
 * Version 7 is the first whose brokers take zstd (Kafka 2.1), 8 the first that says why (2.4), 9 another encoding.
 */
import { DecodeError } from '#model/errors.ts';
import { type BatchIdentity, batchBytes, batchHeader, type EncodedBatch } from './batch-encoder.ts';

export interface ProduceRequest {
  readonly correlationId: number;
  readonly apiVersion: number;
  readonly clientId: string;
  readonly timeoutMs: number;
  readonly topic: string;
  readonly partition: number;
  readonly batch: EncodedBatch;
  readonly identity: BatchIdentity;
}

export interface ProduceAnswer {
  readonly errorCode: number;
  /** The broker's own words, '' where it has none. */
  readonly reason: string;
  readonly throttleMs: number;
}

export const produceApiKey = 0;
const versionMin = 7;
const versionMax = 8;
const acksFromAll = -1;

/** Returns the version to ask in. Throws where the broker is too old or too new for all that we know. */
export function produceVersion(
  range: { readonly minVersion: number; readonly maxVersion: number } | undefined,
): number {
  const version = Math.min(versionMax, range?.maxVersion ?? 0);
  if (version < versionMin || version < (range?.minVersion ?? 0)) {
    throw new Error(
      `the broker takes Produce requests of versions ${range?.minVersion} to ${range?.maxVersion}, and ${versionMin} ` +
        `or ${versionMax} is needed: use Apache Kafka 2.1 or newer`,
    );
  }
  return version;
}

/** Returns all of the request but the batch's payload, which must follow it. */
export function produceFrame(request: ProduceRequest): Buffer {
  const { clientId, topic, batch } = request;
  const clientBytes = Buffer.byteLength(clientId);
  const topicBytes = Buffer.byteLength(topic);
  const size = 10 + clientBytes + 2 + 2 + 4 + 4 + 2 + topicBytes + 4 + 4 + 4;
  const header = batchHeader(batch, request.identity);
  const frame = Buffer.allocUnsafe(4 + size + header.length);
  let position = frame.writeInt32BE(size + batchBytes(batch), 0);
  position = frame.writeInt16BE(produceApiKey, position);
  position = frame.writeInt16BE(request.apiVersion, position);
  position = frame.writeInt32BE(request.correlationId, position);
  position = frame.writeInt16BE(clientBytes, position);
  position += frame.write(clientId, position);
  position = frame.writeInt16BE(-1, position);
  position = frame.writeInt16BE(acksFromAll, position);
  position = frame.writeInt32BE(request.timeoutMs, position);
  position = frame.writeInt32BE(1, position);
  position = frame.writeInt16BE(topicBytes, position);
  position += frame.write(topic, position);
  position = frame.writeInt32BE(1, position);
  position = frame.writeInt32BE(request.partition, position);
  position = frame.writeInt32BE(batchBytes(batch), position);
  frame.set(header, position);
  return frame;
}

/** Reads the answer to a request with one batch. `answer` begins behind the correlation id. Throws DecodeError. */
export function decodeProduceResponse(answer: Buffer, apiVersion: number): ProduceAnswer {
  try {
    let position = 0;
    const text = (): string => {
      const length = answer.readInt16BE(position);
      position += 2;
      if (length < 0) return '';
      const value = answer.toString('utf8', position, position + length);
      position += length;
      return value;
    };
    if (answer.readInt32BE(position) !== 1) throw new RangeError('not one topic');
    position += 4;
    text();
    if (answer.readInt32BE(position) !== 1) throw new RangeError('not one partition');
    position += 8;
    const errorCode = answer.readInt16BE(position);
    position += 2 + 3 * 8;
    const reasons: string[] = [];
    if (apiVersion >= 8) {
      const errors = answer.readInt32BE(position);
      position += 4;
      for (let index = 0; index < errors; index++) {
        position += 4;
        reasons.push(text());
      }
      reasons.push(text());
    }
    const throttleMs = answer.readInt32BE(position);
    return { errorCode, reason: reasons.filter((reason) => reason !== '').join('; '), throttleMs };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DecodeError(`an answer to a Produce request cannot be read (${error.message})`, 0);
  }
}
