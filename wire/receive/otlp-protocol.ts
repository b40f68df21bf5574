/**
 * OTLP over HTTP, in protobuf and in JSON on the same paths (OTLP 1.x, "OTLP/HTTP"): a reply is in the request's type.
 *
 *   rejected 3  ->  200 {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}}, or the same in protobuf
 *   refused     ->  400 {"code":3,"message":"resourceSpans[0]...: an id must be ..."}, a google.rpc.Status
 */
import { RefusedError } from '#model/errors.ts';
import { contentTypeOtlp } from '../bus.ts';
import type { Signal } from '../envelope.ts';
import { jsonReply, type PushProtocol } from './push-protocol.ts';
import { encodeExportResponse, encodeStatus, grpcCode } from './reply.ts';

export type OtlpSignal = Exclude<Signal, 'remote_write'>;

/** Fields of Export*PartialSuccess. */
const rejectedNames: Readonly<Record<OtlpSignal, string>> = {
  logs: 'rejectedLogRecords',
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
};

const typeJson = 'application/json';

export function otlpProtocol(signal: OtlpSignal): PushProtocol {
  return {
    signal,
    readBody({ mediaType, contentType, path }) {
      const encodingDefault = 'identity';
      if (mediaType === contentTypeOtlp) return { format: undefined, encodingDefault };
      if (mediaType === typeJson) return { format: `otlp_json_${signal}`, encodingDefault };
      throw new RefusedError(
        `content-type "${contentType}" is not supported on ${path}: send ${contentTypeOtlp} or ${typeJson}`,
        415,
      );
    },
    renderOutcome({ rejected, reason }, { mediaType }) {
      if (mediaType === typeJson) return jsonReply(200, partialSuccess(signal, rejected, reason));
      return protobufReply(200, encodeExportResponse(rejected, reason));
    },
    renderFailure(status, message, { mediaType }) {
      const code = grpcCode(status);
      if (mediaType === typeJson) return jsonReply(status, { code, message });
      return protobufReply(status, encodeStatus(code, message));
    },
  };
}

/** 64-bit numbers are text in protobuf's JSON. */
function partialSuccess(signal: OtlpSignal, rejected: number, errorMessage: string): object {
  if (rejected === 0 && errorMessage === '') return {};
  return { partialSuccess: { [rejectedNames[signal]]: String(rejected), errorMessage } };
}

function protobufReply(status: number, bytes: Uint8Array) {
  return { status, headers: { 'content-type': contentTypeOtlp }, body: Buffer.from(bytes) };
}
