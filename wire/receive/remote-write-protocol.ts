/** Prometheus remote write, 1.0 and 2.0: snappy protobuf, answered 204, or 400 where something was refused. */
import { RefusedError } from '#model/errors.ts';
import { type PushProtocol, textReply } from './push-protocol.ts';

const messages = ['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'];
/** The protocol has snappy alone; zstd is what some senders of 1.0 add. These two it wants answered with 415. */
const encodingsRefused = ['gzip', 'deflate'];

export const remoteWriteProtocol: PushProtocol = {
  signal: 'remote_write',
  readBody({ contentType, mediaType, contentEncoding, path }) {
    const message = /;\s*proto=([^;\s]+)/.exec(contentType)?.[1];
    if (message !== undefined && !messages.includes(message)) {
      throw new RefusedError(
        `remote write message "${message}" is not supported: send ${messages.join(' or ')}`,
        415,
      );
    }
    if (mediaType !== 'application/x-protobuf') {
      throw new RefusedError(
        `content-type "${contentType}" is not supported on ${path}: send application/x-protobuf`,
        415,
      );
    }
    if (encodingsRefused.includes(contentEncoding)) {
      throw new RefusedError(
        `content-encoding "${contentEncoding}" is not supported on ${path}: send snappy`,
        415,
      );
    }
    return { format: undefined, encodingDefault: 'snappy' };
  },
  renderOutcome({ accepted, histograms = 0, exemplars = 0, rejected, reason }, { contentType }) {
    const headers: Record<string, string> = {};
    // Their presence says that 2.0 was understood: 1.0 is answered without.
    if (accepted !== undefined && contentType.includes(messages[0]!)) {
      headers['x-prometheus-remote-write-samples-written'] = String(accepted - histograms);
      headers['x-prometheus-remote-write-histograms-written'] = String(histograms);
      headers['x-prometheus-remote-write-exemplars-written'] = String(exemplars);
    }
    // Remote write 2.0, "Partial Write": never a 2xx when something was refused; 4xx is not retried.
    if (rejected === 0) return { status: 204, headers };
    const reply = textReply(400, reason);
    return { ...reply, headers: { ...headers, ...reply.headers } };
  },
  renderFailure: (status, message) => textReply(status, message),
};
