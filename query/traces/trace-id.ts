/**
 * The id of a trace as people and clients write it.
 *
 *   parseTraceId('D6E9329D67B6146A')  ->  '0000000000000000d6e9329d67b6146a'
 */
import { RefusedError } from '#model/errors.ts';

const traceIdLengthMax = 32;

/** Returns 32 lower-case hexadecimal digits, padded on the left. Throws RefusedError (400) on anything else. */
export function parseTraceId(text: string): string {
  if (text.length === 0 || text.length > traceIdLengthMax || !/^[0-9a-fA-F]+$/.test(text)) {
    const shown = JSON.stringify(text.slice(0, traceIdLengthMax + 1));
    throw new RefusedError(`a trace id has 1 to ${traceIdLengthMax} hexadecimal digits, not ${shown}`);
  }
  const id = text.toLowerCase().padStart(traceIdLengthMax, '0');
  if (/^0+$/.test(id)) throw new RefusedError('a trace id of zeros names no trace');
  return id;
}
