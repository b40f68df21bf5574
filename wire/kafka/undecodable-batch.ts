/**
 * A record batch that cannot be decoded, as one record at its last offset: its value is the batch as the broker has it,
 * its header says why. So the partition goes on, and the batch becomes a dead letter.
 *
 *   batch of offsets 5 to 9 with a broken compression  ->  record 9 { sonde-undecodable: "a record batch of 5 ..." }
 *
 * Layout: KIP-98, "RecordBatch" (magic 2).
 */
import { errorMessage } from '#model/errors.ts';

export const headerUndecodable = 'sonde-undecodable';

/** What kafkajs decodes a batch to, as far as its callers look at it. */
export interface DecodedBatch {
  readonly records: readonly object[];
}

const lengthAt = 8;
const epochAt = 12;
const attributesAt = 21;
const lastOffsetDeltaAt = 23;
const firstTimestampAt = 27;
const maxTimestampAt = 35;
const producerIdAt = 43;
const producerEpochAt = 51;
const firstSequenceAt = 53;
const recordCountAt = 57;
const headerBytes = 61;
const transactionalFlag = 0x10;

/** Returns undefined where the fault is not the batch's: it was not sent whole, or memory is short. */
export function undecodableBatch(bytes: Buffer, error: unknown): DecodedBatch | undefined {
  if (bytes.length < headerBytes || isOfTheMoment(error)) return undefined;
  const end = epochAt + bytes.readInt32BE(lengthAt);
  if (end < headerBytes || end > bytes.length) return undefined;
  const firstOffset = bytes.readBigInt64BE(0);
  const lastOffsetDelta = bytes.readInt32BE(lastOffsetDeltaAt);
  const maxTimestamp = String(bytes.readBigInt64BE(maxTimestampAt));
  const count = bytes.readInt32BE(recordCountAt);
  const reason = `a record batch of ${count} messages could not be decoded: ${errorMessage(error)}`;
  return {
    records: [
      {
        offset: String(firstOffset + BigInt(lastOffsetDelta)),
        timestamp: maxTimestamp,
        key: null,
        value: bytes.subarray(0, end),
        headers: { [headerUndecodable]: Buffer.from(reason) },
        isControlRecord: false,
        // Records of transactions that were aborted are left out by these.
        batchContext: {
          firstOffset: String(firstOffset),
          firstTimestamp: String(bytes.readBigInt64BE(firstTimestampAt)),
          maxTimestamp,
          partitionLeaderEpoch: bytes.readInt32BE(epochAt),
          inTransaction: (bytes.readInt16BE(attributesAt) & transactionalFlag) !== 0,
          isControlBatch: false,
          lastOffsetDelta,
          producerId: String(bytes.readBigInt64BE(producerIdAt)),
          producerEpoch: bytes.readInt16BE(producerEpochAt),
          firstSequence: bytes.readInt32BE(firstSequenceAt),
        },
      },
    ],
  };
}

function isOfTheMoment(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  return (
    error.name === 'KafkaJSPartialMessageError' ||
    /MEM(ORY)?_(ERROR|ALLOCATION)|memory_allocation|Z_MEM_ERROR/i.test(code) ||
    /allocation failed/i.test(error.message)
  );
}
