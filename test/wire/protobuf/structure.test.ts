/**
 * Goal: bytes that a later station could not decode are refused at the door, and good bytes never are.
 * Method: hand-made messages, then every truncation of one of them.
 */
import { expect, test } from 'vitest';
import type { Signal } from '#wire/envelope.ts';
import { checkStructure, messageDepthMax } from '#wire/protobuf/structure.ts';

/** field 1..15, length-delimited */
function field(number: number, ...content: readonly (number | Uint8Array)[]): Uint8Array {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)));
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}
const text = (value: string): Uint8Array => Buffer.from(value);

const keyValue = field(1, field(1, text('service.name')), field(2, field(1, text('shop'))));
const record = field(
  2,
  0x09,
  text('12345678'),
  field(5, field(1, text('a body'))),
  field(6, field(1, text('k'))),
);
const logs = field(1, field(1, keyValue), field(2, field(1, field(1, text('scope'))), record));

function fault(signal: Signal, bytes: Uint8Array): string {
  try {
    checkStructure(signal, bytes);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

test('a logs request passes, and so do the empty request and unknown fields', () => {
  expect(fault('logs', logs)).toBe('');
  expect(fault('logs', new Uint8Array(0))).toBe('');
  expect(fault('logs', Buffer.concat([logs, field(15, text('from the future'))]))).toBe('');
});

test('text that is not protobuf is refused with the position', () => {
  expect(fault('logs', text('hello, I am not protobuf'))).toMatch(/ at byte \d+$/);
});

test('every truncation is refused, or ends exactly between two fields', () => {
  const passed: number[] = [];
  for (let length = 0; length < logs.length; length++)
    if (fault('logs', logs.subarray(0, length)) === '') passed.push(length);
  expect(passed).toEqual([0]);
});

test('a length beyond the end names both lengths', () => {
  expect(fault('traces', Buffer.from([0x0a, 0x7f, 1, 2]))).toBe(
    'field 1 has length 127, but its message ends after 2 bytes at byte 1',
  );
});

test('values nested deeper than the limit are refused before the stack ends', () => {
  let value = field(1, text('x'));
  for (let depth = 0; depth < messageDepthMax; depth++) value = field(5, field(1, value));
  const request = field(1, field(2, field(2, field(5, value))));
  expect(fault('logs', request)).toMatch(/^messages are nested deeper than 100 at byte \d+$/);
});
