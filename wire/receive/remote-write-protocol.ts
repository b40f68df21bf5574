/** Prometheus remote write, 1.0 and 2.0: snappy protobuf, answered 204, or 400 where something was refused. */
import { RefusedError } from '#model/errors.ts';
import { type PushProtocol, textReply } from './push-protocol.ts';

const messages = ['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'];

export const remoteWriteProtocol: PushProtocol = {
  signal: 'remote_write',
  readBody({ contentType, mediaType, path }) {
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
    return { format: undefined, encodingDefault: 'snappy' };
  },
  renderOutcome({ accepted, rejected, reason }) {
    const headers: Record<string, string> = {};
    if (accepted !== undefined) {
      headers['x-prometheus-remote-write-samples-written'] = String(accepted);
      headers['x-prometheus-remote-write-histograms-written'] = '0';
      headers['x-prometheus-remote-write-exemplars-written'] = '0';
    }
    // Remote write 2.0, "Partial Write": never a 2xx when something was refused; 4xx is not retried.
    if (rejected === 0) return { status: 204, headers };
    const reply = textReply(400, reason);
    return { ...reply, headers: { ...headers, ...reply.headers } };
  },
  renderFailure: (status, message) => textReply(status, message),
};
