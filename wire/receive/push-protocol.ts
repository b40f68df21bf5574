/**
 * What a push protocol decides for itself: which body a request has, and in which words it is answered. Everything else
 * (limits, encodings, identity, conversion, the sink) is the same for all of them: see http-receiver.ts.
 */
import type { Format, InfluxParameters } from '../conversion/conversion.ts';
import type { Delivery, Signal } from '../envelope.ts';

/** What of a request says how its body is to be read. */
export interface PushHeaders {
  /** Content-Type as sent; '' where it is absent. */
  readonly contentType: string;
  /** Content-Type without parameters, lower-case. */
  readonly mediaType: string;
  /** Content-Encoding, lower-case; '' where it is absent. */
  readonly contentEncoding: string;
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
}

export interface PushBody {
  /** undefined: the body is one of the bus already, and goes on as it is. */
  readonly format: Format | undefined;
  /** The content encoding of a body whose header names none. */
  readonly encodingDefault: 'snappy' | 'identity';
  readonly influx?: InfluxParameters;
}

/** What the sink and the converter did together. */
export interface PushOutcome extends Delivery {
  /** Values that the bus has no place for: left out, no failure. */
  readonly ignored: number;
}

export interface PushReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export interface PushProtocol {
  /** What its requests become. */
  readonly signal: Signal;
  /** Throws RefusedError with status 415 on a body that is not read, or 400 on parameters that are wrong. */
  readBody(headers: PushHeaders): PushBody;
  renderOutcome(outcome: PushOutcome, headers: PushHeaders): PushReply;
  renderFailure(status: number, message: string, headers: PushHeaders): PushReply;
}

/** A reply in plain text, as most protocols word errors. */
export function textReply(status: number, text: string): PushReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` };
}

export function jsonReply(status: number, value: object): PushReply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
