/**
 * Numbered spans as OTLP. Who knows run, sender and number knows the trace's id: a verification asks for traces by id.
 *
 *   spans 1 to 100 of a sender are its trace 0, 101 to 200 its trace 1; the first of each is the root.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { contentTypeOtlp, receivePaths } from '#wire/bus.ts';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { resourceAttributesField } from '#wire/otlp/logs-request.ts';
import { appendBytes, ByteWriter } from '#wire/protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeFixed64Field,
  writeTextField,
  writeVarintField,
} from '#wire/protobuf/message-writer.ts';
import type { RecordName } from '../numbered-line.ts';
import { loadService } from './log-signal.ts';
import { otlpFault } from './otlp-answer.ts';
import { otlpRepeats } from './push-client.ts';
import type { PushSignal } from './push-signal.ts';
import { unixNanoWords } from './unix-nano.ts';

/** Attributes of each span. */
export const spanAttributes = {
  run: 'sonde.load.run',
  sender: 'sonde.load.sender',
  seq: 'sonde.load.seq',
  checksum: 'sonde.load.checksum',
} as const;

const spanNames = ['POST /orders', 'place order', 'charge card', 'reserve stock'];
const spanAttributesField = 9;
const kindServer = 2;
const durationMs = 20;
const spanIdBytes = 8;

/** Returns the id of a sender's trace, counted from 0, as 32 hexadecimal digits. */
export function loadTraceId(run: string, sender: string, index: number): string {
  return traceIdBytes(run, sender, index).toString('hex');
}

export function spanName(seq: number): string {
  return spanNames[seq % spanNames.length]!;
}

/** Over what a span says of itself, its name included. */
export function spanChecksum({ run, sender, seq }: RecordName, name: string): string {
  return crc32(`${run} ${sender} ${seq} ${name}`).toString(16).padStart(8, '0');
}

export function spanSignal(run: string, sender: string, spansPerTrace: number): PushSignal {
  const resource = encodeKeyValues(resourceAttributesField, {
    'service.name': loadService,
    'service.instance.id': sender,
  });
  const spans = new ByteWriter();
  let traceIndex = -1;
  let traceId: Buffer = Buffer.alloc(0);
  const rootId = Buffer.alloc(spanIdBytes);
  const writeSpan = (seq: number, nowMs: number): void => {
    const index = Math.floor((seq - 1) / spansPerTrace);
    if (index !== traceIndex) {
      traceIndex = index;
      traceId = traceIdBytes(run, sender, index);
      spanId(index * spansPerTrace + 1, traceId).copy(rootId);
    }
    const id = spanId(seq, traceId);
    const name = spanName(seq);
    const [startLow, startHigh] = unixNanoWords(nowMs, seq);
    const [endLow, endHigh] = unixNanoWords(nowMs + durationMs, seq);
    const mark = beginMessage(spans, 2);
    writeBytesField(spans, 1, traceId);
    writeBytesField(spans, 2, id);
    if (!id.equals(rootId)) writeBytesField(spans, 4, rootId);
    writeTextField(spans, 5, name);
    writeVarintField(spans, 6, kindServer);
    writeFixed64Field(spans, 7, startLow, startHigh);
    writeFixed64Field(spans, 8, endLow, endHigh);
    appendBytes(
      spans,
      encodeKeyValues(spanAttributesField, {
        [spanAttributes.run]: run,
        [spanAttributes.sender]: sender,
        [spanAttributes.seq]: seq,
        [spanAttributes.checksum]: spanChecksum({ run, sender, seq }, name),
      }),
    );
    endMessage(spans, mark);
  };
  return {
    path: receivePaths.traces,
    headers: { 'content-type': contentTypeOtlp },
    repeats: otlpRepeats,
    add(seq, nowMs) {
      writeSpan(seq, nowMs);
      return spans.position;
    },
    finish() {
      const request = encodeSpansRequest(resource, spans.written());
      spans.clear();
      return request;
    },
    fault: otlpFault,
  };
}

// ExportTraceServiceRequest => 1:ResourceSpans   ResourceSpans => 1:Resource 2:ScopeSpans   ScopeSpans => 2:Span*
function encodeSpansRequest(resource: Uint8Array, spans: Uint8Array): Uint8Array {
  const writer = new ByteWriter(spans.length + resource.length + 64);
  const resourceSpans = beginMessage(writer, 1);
  writeBytesField(writer, 1, resource);
  writeBytesField(writer, 2, spans);
  endMessage(writer, resourceSpans);
  return writer.written();
}

function traceIdBytes(run: string, sender: string, index: number): Buffer {
  return createHash('sha256').update(`${run}\n${sender}\n${index}`).digest().subarray(0, 16);
}

/** Four bytes of the trace's id, and the number. */
function spanId(seq: number, traceId: Buffer): Buffer {
  const id = Buffer.alloc(spanIdBytes);
  traceId.copy(id, 0, 0, 4);
  id.writeUInt32BE(seq >>> 0, 4);
  return id;
}
