/**
 * A list of Zipkin version 2 spans in JSON to an OTLP trace request.
 *
 *   [{"traceId": "a1", "id": "b2", "name": "get /", "timestamp": 1700000000000000, "duration": 5}]
 *
 * All or nothing, as Zipkin's own collector has it: a span that is not valid refuses the list, with its path:
 * `[3].annotations[0].timestamp`. One span at a time is parsed to objects, so that memory stays near the body's size.
 */
import { DecodeError, RefusedError } from '#model/errors.ts';
import {
  type Conversion,
  type ConversionTask,
  conversionLimit,
  shortMessage,
} from '../conversion/conversion.ts';
import { JsonCursor } from '../json/json-cursor.ts';
import { SpanWriter } from './span-writer.ts';
import { zipkinSpanSchema } from './zipkin-span.ts';

/** Of one span's JSON. Objects take up to twenty times as much. */
const spanBytesMax = 4 * 1024 * 1024;

export function convertZipkinJson(task: ConversionTask): Conversion {
  const { bytes, nowUnixNano } = task;
  const cursor = new JsonCursor();
  const spans = new SpanWriter(bytes.length + 256, conversionLimit(task), Number(nowUnixNano / 1000n));
  let path = '';
  try {
    cursor.begin(bytes);
    cursor.enterArray();
    for (let index = 0; cursor.nextElement(); index++) {
      path = `[${index}]`;
      cursor.peek();
      const start = cursor.position;
      cursor.skipValue();
      if (cursor.position - start > spanBytesMax) {
        throw new DecodeError(`a span is longer than ${spanBytesMax} bytes`, start);
      }
      const parsed = zipkinSpanSchema.safeParse(
        JSON.parse(cursor.bytes.toString('utf8', start, cursor.position)),
      );
      if (!parsed.success) throw refuse(path, parsed.error.issues[0]!);
      spans.writeSpan(parsed.data);
    }
    path = '';
    cursor.expectEnd();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new RefusedError(`${path}${path && ': '}${error.message}`, 400, { cause: error });
  }
  spans.finish();
  return {
    bytes: new Uint8Array(spans.writer.written()),
    rejections: [],
    ignored: 0,
    isClocked: spans.isClocked,
  };
}

function refuse(
  path: string,
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
): RefusedError {
  const inner = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  return new RefusedError(shortMessage(`${path}${inner}: ${issue.message}`));
}
