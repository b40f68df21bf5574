/** Numbered log records as OTLP: each with a time of its own, so that the order of a sender's records is in the store. */
import { contentTypeOtlp, receivePaths } from '#wire/bus.ts';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { logAttributesField, writeLogRecord } from '#wire/otlp/log-record.ts';
import { encodeLogsRequest, resourceAttributesField } from '#wire/otlp/logs-request.ts';
import { ByteWriter, byteSource } from '#wire/protobuf/byte-writer.ts';
import { type LineShape, numberedLines } from '../numbered-line.ts';
import { otlpFault } from './otlp-answer.ts';
import { otlpRepeats } from './push-client.ts';
import type { PushSignal } from './push-signal.ts';
import { unixNanoWords } from './unix-nano.ts';

/** The service that pushed records say they come from. */
export const loadService = 'sonde-load';

export function logSignal(run: string, sender: string, shape: LineShape): PushSignal {
  const resource = encodeKeyValues(resourceAttributesField, {
    'service.name': loadService,
    'service.instance.id': sender,
  });
  const attributes = encodeKeyValues(logAttributesField, { 'log.iostream': 'stdout' });
  const records = new ByteWriter();
  const body = new ByteWriter();
  const fields = {
    timeLow: 0,
    timeHigh: 0,
    body,
    bodyFrom: 0,
    bodyTo: 0,
    attributes: byteSource(Buffer.concat([attributes, Buffer.alloc(8)])),
    attributesBytes: attributes.length,
    // The level is in the text: the store finds it there.
    severityNumber: 0,
    severityText: body,
    severityTextBytes: 0,
  };
  return {
    path: receivePaths.logs,
    headers: { 'content-type': contentTypeOtlp },
    repeats: otlpRepeats,
    add(seq, nowMs) {
      const text = numberedLines({ run, sender, seq }, shape).join('\n');
      body.clear();
      body.reserve(text.length * 3);
      body.position = body.bytes.write(text);
      fields.bodyTo = body.position;
      [fields.timeLow, fields.timeHigh] = unixNanoWords(nowMs, seq);
      writeLogRecord(records, fields);
      return records.position;
    },
    finish() {
      const request = encodeLogsRequest([{ resource, from: 0, to: records.position }], records.written());
      records.clear();
      return request;
    },
    fault: otlpFault,
  };
}
