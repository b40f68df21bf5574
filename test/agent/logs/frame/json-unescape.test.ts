/**
 * Goal: escaped text comes out as JSON.parse gives it, and broken text is refused.
 * Method: random strings, rendered by JSON.stringify and with every character escaped, against JSON.parse.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unescapeJson } from '#agent/logs/frame/json-unescape.ts';
import { ByteWriter, byteSource } from '#wire/protobuf/byte-writer.ts';

/** The text of a JSON string with its quotes, and how many bytes were taken; undefined where it is broken. */
function unescaped(json: string): { text: string; end: number } | undefined {
  const bytes = Buffer.from(json);
  const writer = new ByteWriter(4);
  const end = unescapeJson(byteSource(bytes), 1, bytes.length, writer);
  return end === -1 ? undefined : { text: writer.written().toString(), end };
}

test('any text survives JSON.stringify', () => {
  const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
    const json = JSON.stringify(text);
    expect(unescaped(json)).toEqual({ text: Buffer.from(text).toString(), end: Buffer.byteLength(json) - 1 });
  });
  fc.assert(property, { numRuns: 500 });
});

test('any UTF-16 code units, escaped one by one, give what JSON.parse and UTF-8 give', () => {
  const property = fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
    const json = `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
    expect(unescaped(json)?.text).toBe(Buffer.from(JSON.parse(json)).toString());
  });
  fc.assert(property, { numRuns: 500 });
});

test.each(['"abc', '"abc\\', '"abc\\"', '"\\x"', '"\\u12"', '"\\u12g4"', '"\\u'])('%s is refused', (json) => {
  expect(unescaped(json)).toBeUndefined();
});
