/**
 * What an OTLP receiver answers: success for all records, or for a part of them.
 *
 *   0a 0c 08 03 12 08 'too late'  ->  'the receiver rejected 3 records: too late'
 */
import { DecodeError } from '#model/errors.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { PushAnswer } from './push-client.ts';
import { statusFault } from './push-signal.ts';

// Export*ServiceResponse => partial_success:1 { rejected:1 varint, error_message:2 string }
const partialSuccessTag = 0x0a;
const rejectedTag = 0x08;
const messageTag = 0x12;

/** Returns '' where all records were taken. */
export function otlpFault(answer: PushAnswer): string {
  const fault = statusFault(answer);
  if (fault !== '') return fault;
  try {
    return rejectionOf(answer.body);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return `the receiver's answer is no protobuf: ${error.message}`;
  }
}

function rejectionOf(body: Buffer): string {
  const reader = new ProtobufReader();
  let rejected = 0;
  let message = '';
  reader.begin(body);
  while (reader.position < reader.limit) {
    if (reader.readTag() !== partialSuccessTag) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === rejectedTag) {
        reader.readVarint64();
        rejected = reader.high * 0x1_0000_0000 + reader.low;
      } else if (tag === messageTag) {
        const inner = reader.enter();
        message = body.toString('utf8', reader.position, reader.limit);
        reader.leave(inner);
      } else reader.skip();
    }
    reader.leave(outer);
  }
  return rejected === 0 ? '' : `the receiver rejected ${rejected} records: ${message}`;
}
