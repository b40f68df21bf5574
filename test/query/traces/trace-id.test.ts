/** Goal: every way to write an id finds the trace, anything else is refused. Method: a table. */
import { expect, test } from 'vitest';
import { parseTraceId } from '#query/traces/trace-id.ts';

test.each([
  ['D6E9329D67B6146A', '0000000000000000d6e9329d67b6146a'],
  ['1', '00000000000000000000000000000001'],
  ['0102030405060708090a0b0c0d0e0f10', '0102030405060708090a0b0c0d0e0f10'],
])('%s', (text, id) => expect(parseTraceId(text)).toBe(id));

test.each([
  ['', 'a trace id has 1 to 32 hexadecimal digits, not ""'],
  ['xyz', 'a trace id has 1 to 32 hexadecimal digits, not "xyz"'],
  ['0'.repeat(33), 'a trace id has 1 to 32 hexadecimal digits'],
  ["1' OR 1=1", 'a trace id has 1 to 32 hexadecimal digits'],
  ['00', 'a trace id of zeros names no trace'],
])('%j is refused', (text, message) => expect(() => parseTraceId(text)).toThrow(message));
