/**
 * Goal: the reader returns what protobuf means, and never reads past the message it is in.
 * Method: values encoded by protobufjs, the table of malformed bytes, and every truncation of a small message.
 */
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { DecodeError } from '#model/errors.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';

const reader = new ProtobufReader();

function begin(hex: string): ProtobufReader {
  reader.begin(new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
  return reader;
}

test.each([
  0n,
  1n,
  127n,
  128n,
  300n,
  2n ** 28n - 1n,
  2n ** 28n,
  2n ** 35n,
  2n ** 53n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
])('the varint %s is read as protobufjs writes it', (value) => {
  const writer = protobuf.Writer.create().uint64(value.toString() as unknown as number);
  reader.begin(new Uint8Array(writer.finish()));
  reader.readVarint64();
  expect((BigInt(reader.high) << 32n) | BigInt(reader.low)).toBe(value);
  expect(reader.position).toBe(reader.limit);
  if (value >= 2n ** 53n) return;
  reader.seek(0, reader.source.bytes.length);
  expect(reader.readVarint()).toBe(Number(value));
});

test('a varint in more bytes than it needs is still its value', () => {
  expect(begin('8180808000').readVarint()).toBe(1);
});

test('fixed values are little-endian', () => {
  begin('0102030405060708 090a0b0c');
  reader.readFixed64();
  expect([reader.low, reader.high]).toEqual([0x04030201, 0x08070605]);
  expect(reader.readFixed32()).toBe(0x0c0b0a09);
});

test.each([
  ['08', 8],
  ['7a', 0x7a],
  ['a201', 0xa2],
  ['f8ffffff0f', 0xfffffff8],
])('the tag %s is %d', (hex, tag) => {
  expect(begin(hex).readTag()).toBe(tag);
});

test('a nested message ends where its length says, wherever reading stopped', () => {
  begin('0a03 080110 1002');
  reader.readTag();
  const outer = reader.enter();
  expect(reader.limit).toBe(5);
  reader.readTag();
  reader.leave(outer);
  expect([reader.position, reader.limit]).toEqual([5, 7]);
  expect(reader.readTag()).toBe(0x10);
});

test('every wire type is stepped over', () => {
  begin('089601 11 0102030405060708 1a02 ffff 25 01020304 2801');
  const fields: number[] = [];
  while (reader.position < reader.limit) {
    fields.push(reader.readTag() >>> 3);
    reader.skip();
  }
  expect(fields).toEqual([1, 2, 3, 4, 5]);
});

const afterTag = (read: (reader: ProtobufReader) => void) => (reader: ProtobufReader) => {
  reader.readTag();
  read(reader);
};

test.each<
  [name: string, hex: string, read: (reader: ProtobufReader) => void, fact: string, position: number]
>([
  ['a tag of field 0', '02', (r) => r.readTag(), 'field number 0 is not allowed', 0],
  ['a tag of two bytes for field 0', '8200', (r) => r.readTag(), 'field number 0 is not allowed', 0],
  [
    'a field number that is too large',
    '8080808010',
    (r) => r.readTag(),
    'a field number is larger than 2^29-1',
    0,
  ],
  ['no byte at all', '', (r) => r.readTag(), 'a varint runs past the end of its message', 0],
  [
    'a varint that is cut off',
    '8080',
    (r) => r.readVarint64(),
    'a varint runs past the end of its message',
    0,
  ],
  [
    'an eleventh byte',
    '8080808080808080808001',
    (r) => r.readVarint64(),
    'a varint is longer than 64 bits',
    0,
  ],
  ['a 65th bit', '80808080808080808002', (r) => r.readVarint64(), 'a varint is longer than 64 bits', 0],
  [
    'a length beyond the end',
    '0a05ff',
    afterTag((r) => r.readLength()),
    'field 1 has length 5, but its message ends after 1 bytes',
    1,
  ],
  [
    'a length of 2^63',
    '0a80808080808080808001',
    afterTag((r) => r.readLength()),
    'field 1 has length 9223372036854776000, but its message ends after 0 bytes',
    1,
  ],
  [
    'a fixed64 that is cut off',
    '0900',
    afterTag((r) => r.readFixed64()),
    'field 1 is an 8-byte value, but its message ends after 1 bytes',
    1,
  ],
  [
    'a fixed32 that is cut off',
    '0d00',
    afterTag((r) => r.readFixed32()),
    'field 1 is a 4-byte value, but its message ends after 1 bytes',
    1,
  ],
  [
    'a group',
    '0b',
    afterTag((r) => r.skip()),
    'field 1 has wire type 3, which is a group: groups are not supported',
    1,
  ],
  [
    'an end of a group',
    '0c',
    afterTag((r) => r.skip()),
    'field 1 has wire type 4, which is a group: groups are not supported',
    1,
  ],
  ['wire type 6', '0e', afterTag((r) => r.skip()), 'field 1 has wire type 6, which is not defined', 1],
])('%s is refused with its position', (_, hex, read, fact, position) => {
  begin(hex);
  expect(() => read(reader)).toThrow(new DecodeError(fact, position));
});

test('what is beyond the limit of a nested message is never read', () => {
  begin('0a01 80 01 01010101 01010101');
  reader.readTag();
  reader.enter();
  expect(() => reader.readVarint()).toThrow(DecodeError);
  expect(() => reader.readFixed64()).toThrow(DecodeError);
  expect(() => reader.readFixed32()).toThrow(DecodeError);
});
