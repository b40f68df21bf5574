/** Loki's push API: snappy protobuf or JSON, answered 204; errors are plain text, and 400 where a part was refused. */
import { RefusedError } from '#model/errors.ts';
import { type PushProtocol, textReply } from './push-protocol.ts';

export const lokiProtocol: PushProtocol = {
  signal: 'logs',
  readBody({ contentType, mediaType, path }) {
    if (mediaType === 'application/json') {
      return { format: 'loki_json', encodingDefault: 'identity' };
    }
    // Loki takes a body without a type for protobuf.
    if (mediaType === 'application/x-protobuf' || mediaType === '') {
      return { format: 'loki_protobuf', encodingDefault: 'snappy' };
    }
    throw new RefusedError(
      `content-type "${contentType}" is not supported on ${path}: send application/x-protobuf or application/json`,
      415,
    );
  },
  // As Loki answers: what is valid is stored, and the whole is 400, which senders do not repeat.
  renderOutcome: ({ rejected, reason }) => (rejected === 0 ? { status: 204 } : textReply(400, reason)),
  renderFailure: (status, message) => textReply(status, message),
};
