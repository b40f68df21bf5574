/**
 * Goal: however the network cuts a stream, the same messages come out, and never more than the limit is held.
 * Method: a table of streams, then a property over random cuts of both framings.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SyslogFraming } from '#wire/syslog/stream-framing.ts';

function split(chunks: readonly (string | Buffer)[], messageBytesMax = 100): string[] {
  const messages: string[] = [];
  const framing = new SyslogFraming(messageBytesMax, (bytes, from, to, cut) =>
    messages.push(bytes.toString('utf8', from, to) + (cut > 0 ? `~${cut}` : '')),
  );
  for (const chunk of chunks) framing.push(Buffer.from(chunk));
  framing.end();
  return messages;
}

test.each([
  ['lines', ['<1>a\n<1>b\n'], ['<1>a', '<1>b']],
  ['a line in pieces', ['<1', '>a', '\n'], ['<1>a']],
  ['empty lines are none', ['<1>a\n\n\n<1>b\n'], ['<1>a', '<1>b']],
  ['a last line without a newline', ['<1>a\n<1>b'], ['<1>a', '<1>b']],
  ['octet counting', ['4 <1>a6 <1>b\nc'], ['<1>a', '<1>b\nc']],
  ['a length in pieces', ['1', '0 <1>', '1234567', '4 <1>b'], ['<1>1234567', '<1>b']],
  ['octet counting with newlines besides', ['4 <1>a\n4 <1>b\r\n'], ['<1>a', '<1>b']],
  ['octet counting that breaks off', ['9 <1>a'], ['<1>a~5']],
  ['nothing', [], []],
])('%s', (_, chunks, messages) => expect(split(chunks)).toEqual(messages));

test('a longer message keeps its head', () => {
  expect(split(['<1>abc\n<1>d\n'], 4)).toEqual(['<1>a~2', '<1>d']);
  expect(split(['<1>', 'ab', 'c', '\n<1>d\n'], 4)).toEqual(['<1>a~2', '<1>d']);
  expect(split(['6 <1>', 'abc4 <1>d'], 4)).toEqual(['<1>a~2', '<1>d']);
  expect(split(['6 <1>abc4 <1>d'], 4)).toEqual(['<1>a~2', '<1>d']);
});

test('a stream that has lost its place is an error', () => {
  expect(() => split(['4 <1>aoops'])).toThrow(
    'expected the length of a syslog message (RFC 6587 3.4.1) at byte 6',
  );
  expect(() => split(['12345678901'])).toThrow('expected the length');
});

test('cuts do not matter', () => {
  const message = fc.string({ minLength: 1, maxLength: 30 }).map((text) => `<1>${text.replaceAll('\n', '')}`);
  fc.assert(
    fc.property(fc.array(message), fc.boolean(), fc.array(fc.nat(400)), (messages, counts, cuts) => {
      const stream = Buffer.from(
        messages.map((text) => (counts ? `${Buffer.byteLength(text)} ${text}` : `${text}\n`)).join(''),
      );
      const positions = [
        0,
        ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
        stream.length,
      ];
      const chunks = positions.slice(1).map((to, index) => stream.subarray(positions[index], to));
      expect(split(chunks, 200)).toEqual(messages);
    }),
  );
});
