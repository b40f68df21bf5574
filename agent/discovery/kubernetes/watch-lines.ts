/**
 * Splits the answer to a watch into its events, one JSON text a line, however it is cut into chunks.
 *
 *   '{"type":"ADDED","object":' + '{...}}\n{"type":"BOOK'  ->  { type: 'ADDED', object: {...} }; the rest waits
 */

import { DecodeError, errorMessage } from '#model/errors.ts';

/** One object of etcd is at most 1.5 MB. */
const lineBytesMax = 16 * 1024 * 1024;
const newline = 0x0a;

export interface WatchEvent {
  readonly type: string;
  readonly object: Readonly<Record<string, unknown>>;
}

/** Yields events as they come. Throws DecodeError, with the place of the line in the answer, on a line that is too long, no JSON, or no event. */
export async function* watchEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let lineStart = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      const part = chunk.subarray(start, end === -1 ? undefined : end);
      waitingBytes += part.length;
      if (waitingBytes > lineBytesMax)
        throw new DecodeError(`an event is larger than ${lineBytesMax} bytes`, lineStart);
      waiting.push(part);
      if (end === -1) break;
      const line = Buffer.concat(waiting).toString('utf8').trim();
      if (line !== '') yield parseEvent(line, lineStart);
      lineStart += waitingBytes + 1;
      waiting = [];
      waitingBytes = 0;
      start = end + 1;
    }
  }
}

function parseEvent(line: string, position: number): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new DecodeError(`a line of the watch is no JSON (${errorMessage(error)})`, position);
  }
  if (
    typeof event === 'object' &&
    event !== null &&
    'type' in event &&
    typeof event.type === 'string' &&
    'object' in event &&
    typeof event.object === 'object' &&
    event.object !== null
  ) {
    return { type: event.type, object: event.object as Record<string, unknown> };
  }
  throw new DecodeError('a line of the watch is no event with type and object', position);
}
