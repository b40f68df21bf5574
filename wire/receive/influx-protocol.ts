/**
 * InfluxDB's write endpoints, of version 2 (/api/v2/write) and 1 (/write): line protocol, answered 204.
 *
 *   a line that is wrong  ->  400 {"code":"invalid","message":"partial write: line 3: ..."}, or {"error":"..."} for v1
 *
 * The other lines are stored then. Fields of text have no place among samples: x-sonde-ignored-fields says how many.
 */
import { RefusedError } from '#model/errors.ts';
import type { InfluxParameters } from '../conversion/conversion.ts';
import { jsonReply, type PushHeaders, type PushProtocol, type PushReply } from './push-protocol.ts';

const headerIgnoredFields = 'x-sonde-ignored-fields';

const precisions: ReadonlyMap<string, InfluxParameters['precision']> = new Map([
  ['', 'ns'],
  ['n', 'ns'],
  ['ns', 'ns'],
  ['u', 'us'],
  ['us', 'us'],
  ['µ', 'us'],
  ['ms', 'ms'],
  ['s', 's'],
  ['m', 'm'],
  ['h', 'h'],
]);

/** The error codes of version 2 that these endpoints have. */
const codes: Readonly<Record<number, string>> = {
  400: 'invalid',
  405: 'method not allowed',
  413: 'request too large',
  415: 'unsupported media type',
  429: 'too many requests',
  503: 'unavailable',
};

export const influxProtocol: PushProtocol = {
  signal: 'remote_write',
  /** Any content type: senders say text/plain, octet-stream, or whatever their HTTP library has as its default. */
  readBody({ query }) {
    const precision = precisions.get(parameter(query, 'precision'));
    if (precision === undefined) {
      throw new RefusedError(
        `precision "${parameter(query, 'precision')}" is not known: use ns, us, ms, s, m or h`,
      );
    }
    return {
      format: 'influx_lines',
      encodingDefault: 'identity',
      influx: { precision, database: parameter(query, 'db') },
    };
  },
  renderOutcome({ rejected, reason, ignored }, headers) {
    const reply =
      rejected === 0
        ? { status: 204 }
        : failure(400, `partial write: ${reason} (refused: ${rejected})`, headers);
    if (ignored === 0) return reply;
    return { ...reply, headers: { ...reply.headers, [headerIgnoredFields]: String(ignored) } };
  },
  renderFailure: failure,
};

function parameter(query: PushHeaders['query'], name: string): string {
  const value = query[name];
  return typeof value === 'string' ? value : '';
}

function failure(status: number, message: string, { path }: PushHeaders): PushReply {
  if (path.startsWith('/api/v2')) {
    return jsonReply(status, { code: codes[status] ?? 'internal error', message });
  }
  return jsonReply(status, { error: message });
}
