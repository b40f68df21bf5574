/** Zipkin's POST /api/v2/spans: a list of spans in JSON, answered 202. */
import { RefusedError } from '#model/errors.ts';
import { type PushProtocol, textReply } from './push-protocol.ts';

export const zipkinProtocol: PushProtocol = {
  signal: 'traces',
  readBody({ contentType, mediaType, path }) {
    if (mediaType === 'application/json' || mediaType === '') {
      return { format: 'zipkin_json', encodingDefault: 'identity' };
    }
    throw new RefusedError(
      `content-type "${contentType}" is not supported on ${path}: send application/json`,
      415,
    );
  },
  // 202 says that the spans were taken in, not that all of them are kept; the text is for a person with curl.
  renderOutcome: ({ rejected, reason }) => (rejected === 0 ? { status: 202 } : textReply(202, reason)),
  renderFailure: (status, message) => textReply(status, message),
};
