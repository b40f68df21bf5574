/**
 * Goal: every line of every format becomes the record that its writer meant, and no byte is dropped.
 * Method: tables of file content and records as protobufjs decodes them; then encoding in random pieces, cut where the
 * agent would cut, must give the same records.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LineFormat, lineFormats } from '#agent/logs/frame/frame.ts';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { GroupCutFinder } from '#agent/logs/frame/group-cut.ts';
import { byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { criLine, dockerLine, encodeText, type TestRecord, timeText } from '../log-text.ts';

/** 'stdout:body' per record; without a stream just the body. */
function bodies(records: readonly TestRecord[]): string[] {
  return records.map(({ body, attributes }) => [attributes['log.iostream'], body].filter(Boolean).join(':'));
}

test.each([
  { name: 'a full line', text: criLine('hello'), expected: ['stdout:hello'] },
  { name: 'stderr', text: criLine('x', { stream: 'stderr' }), expected: ['stderr:x'] },
  { name: 'an empty body', text: criLine(''), expected: ['stdout'] },
  { name: 'no space behind the tag', text: `${timeText()} stdout F\n`, expected: ['stdout'] },
  { name: 'more tags', text: `${timeText()} stdout F:a:b hello\n`, expected: ['stdout:hello'] },
  { name: 'a carriage return', text: criLine('dos\r'), expected: ['stdout:dos'] },
  {
    name: 'partial lines',
    text: criLine('ab', { tag: 'P' }) + criLine('cd', { tag: 'P' }) + criLine('ef'),
    expected: ['stdout:abcdef'],
  },
  {
    name: 'partial lines of two streams, mixed',
    text:
      criLine('a', { tag: 'P' }) +
      criLine('1', { tag: 'P', stream: 'stderr' }) +
      criLine('b') +
      criLine('2', { stream: 'stderr' }),
    expected: ['stdout:ab', 'stderr:12'],
  },
  { name: 'a partial line without its end', text: criLine('ab', { tag: 'P' }), expected: ['stdout:ab'] },
  { name: 'a line without a line feed', text: criLine('torn').trimEnd(), expected: ['stdout:torn'] },
  { name: 'a line that is not CRI', text: `noise\n${criLine('a')}`, expected: ['noise', 'stdout:a'] },
  { name: 'a wrong stream', text: `${timeText()} stdxxx F a\n`, expected: [`${timeText()} stdxxx F a`] },
  { name: 'a wrong tag', text: `${timeText()} stdout X a\n`, expected: [`${timeText()} stdout X a`] },
  { name: 'NULs within a line', text: criLine('a\0b'), expected: ['stdout:a\0b'] },
])('CRI: $name', ({ text, expected }) => expect(bodies(encodeText('cri', text).records)).toEqual(expected));

test.each([
  { name: 'a clean line', text: dockerLine('hello\n'), expected: ['stdout:hello'] },
  { name: 'escapes', text: dockerLine('"a"\t\\n<b>\u0001\n'), expected: ['stdout:"a"\t\\n<b>\u0001'] },
  { name: 'a backslash at the end', text: dockerLine('a\\\n'), expected: ['stdout:a\\'] },
  { name: 'a written line feed at the end', text: dockerLine('a\\n'), expected: ['stdout:a\\n'] },
  { name: 'wide characters', text: dockerLine('süß 😀\n'), expected: ['stdout:süß 😀'] },
  {
    name: 'escaped wide characters',
    text: `{"log":"\\ud83d\\ude00\\u00fc\\n","stream":"stdout","time":"${timeText()}"}\n`,
    expected: ['stdout:😀ü'],
  },
  {
    name: 'a lone surrogate',
    text: `{"log":"a\\ud83db\\n","stream":"stdout","time":"${timeText()}"}\n`,
    expected: ['stdout:a\ufffdb'],
  },
  { name: 'an empty line', text: dockerLine('\n'), expected: ['stdout'] },
  { name: 'a terminal line', text: dockerLine('a\r\n'), expected: ['stdout:a'] },
  {
    name: 'a split line',
    text: dockerLine('ab') + dockerLine('c"d') + dockerLine('ef\n'),
    expected: ['stdout:abc"def'],
  },
  {
    name: 'another key order',
    text: `{"time":"${timeText()}","stream":"stderr","log":"a\\n"}\n`,
    expected: ['stderr:a'],
  },
  {
    name: 'spaces',
    text: `{ "log": "a\\n", "stream": "stdout", "time": "${timeText()}" }\n`,
    expected: ['stdout:a'],
  },
  {
    name: 'a broken line',
    text: '{"log":"a\\n","stream":"stdout"\n',
    expected: ['{"log":"a\\n","stream":"stdout"'],
  },
  { name: 'a torn line', text: '{"log":"a\\', expected: ['{"log":"a\\'] },
  { name: 'an unclosed text', text: '{"log":"abc\n', expected: ['{"log":"abc'] },
])('docker: $name', ({ text, expected }) =>
  expect(bodies(encodeText('docker', text).records)).toEqual(expected),
);

test('docker: log options that the driver adds become attributes', () => {
  const line = `{"log":"a\\n","stream":"stdout","attrs":{"tag":"web","n":1},"time":"${timeText()}"}\n`;
  const [record] = encodeText('docker', line).records;
  expect(record.attributes).toEqual({ 'log.iostream': 'stdout', tag: 'web' });
  expect(record.time).toBe('1767323045000000000');
});

test.each([
  { name: 'lines', text: 'a\nb\n', expected: ['a', 'b'] },
  { name: 'blank lines', text: 'a\n\nb\n', expected: ['a', '', 'b'] },
  { name: 'a hole that a truncated file kept', text: '\0\0\0a\nb\n', expected: ['a', 'b'] },
  { name: 'a line that is all hole', text: '\0\0\n\0', expected: [] },
])('plain: $name', ({ text, expected }) => {
  const { records } = encodeText('plain', text);
  expect(bodies(records)).toEqual(expected);
  expect(records.every(({ time }) => time === undefined)).toBe(true);
});

test.each<{ name: string; lines: string[]; records: number[] }>([
  {
    name: 'Java, with the class on its own line and a cause',
    lines: [
      'ERROR order failed',
      'java.lang.IllegalStateException: no stock',
      '\tat com.example.Shop.buy(Shop.java:12)',
      'Caused by: java.io.IOException: broken pipe',
      '\t... 3 more',
      'INFO next',
    ],
    records: [5, 1],
  },
  {
    name: 'Python, chained',
    lines: [
      'ERROR:root:failed',
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in f',
      'KeyError: 1',
      '',
      'During handling of the above exception, another exception occurred:',
      '',
      'Traceback (most recent call last):',
      '  File "a.py", line 3, in <module>',
      'ValueError: bad',
      'INFO:root:next',
    ],
    records: [10, 1],
  },
  {
    name: 'Go panic with goroutines',
    lines: [
      'serving',
      'panic: runtime error: index out of range [5] with length 3',
      '',
      'goroutine 1 [running]:',
      'main.(*Shop).buy(0xc0000, 0x5)',
      '\t/src/main.go:9 +0x1d',
      'main.main()',
      '\t/src/main.go:5 +0x2a',
      'created by main.start in goroutine 7',
      'exit status 2',
      'serving again',
    ],
    records: [1, 9, 1],
  },
  {
    name: 'Node, with a printed object',
    lines: ['Error: nope', '    at buy (/app/shop.js:3:9) {', "  code: 'E_NOPE'", '}', 'listening'],
    records: [4, 1],
  },
  { name: 'pretty JSON', lines: ['{', '  "a": [', '    1', '  ]', '}', '{"b":2}'], records: [5, 1] },
  {
    name: 'ordinary lines',
    lines: ['a', 'Traceback of packets: 1', 'panicking', '} alone', 'a.b c'],
    records: [1, 1, 1, 1, 1],
  },
])('multi-line: $name', ({ lines, records }) => {
  const sizes = (format: LineFormat, text: string) =>
    encodeText(format, text).records.map(({ body }) => body.split('\n').length);
  expect(sizes('plain', lines.map((line) => `${line}\n`).join(''))).toEqual(records);
  expect(sizes('cri', lines.map((line) => criLine(line)).join(''))).toEqual(records);
  expect(sizes('docker', lines.map((line) => dockerLine(`${line}\n`)).join(''))).toEqual(records);
});

test('a line that carries a later time than a second after is not joined', () => {
  const text = criLine('Error: a') + criLine('  at b', { ms: 1000 }) + criLine('  at c', { ms: 2001 });
  expect(bodies(encodeText('cri', text).records)).toEqual(['stdout:Error: a\n  at b', 'stdout:  at c']);
});

test('streams are joined apart', () => {
  const text =
    criLine('Error: a', { stream: 'stderr' }) + criLine('hello') + criLine('  at b', { stream: 'stderr' });
  expect(bodies(encodeText('cri', text).records).sort()).toEqual(['stderr:Error: a\n  at b', 'stdout:hello']);
});

test('a stack trace without end is cut at the line limit, and at the byte limit', () => {
  const deep = encodeText('plain', `Error\n${' at x\n'.repeat(1200)}`, 1024 * 1024);
  expect(deep.records.map(({ body }) => body.split('\n').length)).toEqual([500, 500, 201]);
  const wide = encodeText('plain', `Error\n${' at x\n'.repeat(10)}`, 20);
  expect(wide.records.every(({ body }) => body.length <= 20)).toBe(true);
  expect(wide.records.map(({ body }) => body).join('\n')).toBe(`Error${'\n at x'.repeat(10)}`);
});

test.each<LineFormat>(lineFormats)(
  '%s: a long line is split between characters, and nothing is dropped',
  (format) => {
    const body = 'ü'.repeat(1000);
    const text = { cri: criLine(body), docker: dockerLine(`${body}\n`), plain: `${body}\n` }[format];
    const { records, counts } = encodeText(format, text, 101);
    expect(records.map((record) => record.body).join('')).toBe(body);
    expect(
      records.every((record) => Buffer.byteLength(record.body) <= 101 && !record.body.includes('\ufffd')),
    ).toBe(true);
    expect(counts.recordsSplit).toBe(records.length - 1);
  },
);

test('pieces of a partial line beyond the limit become records of their own', () => {
  const piece = 'x'.repeat(40);
  const text = criLine(piece, { tag: 'P' }).repeat(4) + criLine(piece);
  const { records } = encodeText('cri', text, 100);
  expect(records.map(({ body }) => body.length)).toEqual([80, 80, 40]);
});

test('a character that the runtime cut in two is whole again', () => {
  const [head, tail] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
  const text = Buffer.concat([
    Buffer.from(`${timeText()} stdout P a`),
    head,
    Buffer.from(`\n${timeText()} stdout F `),
    tail,
    Buffer.from('b\n'),
  ]);
  const { records, counts } = encodeText('cri', text);
  expect([bodies(records), counts.recordsRepaired]).toEqual([['stdout:aüb'], 0]);
});

test('bytes that are not UTF-8 become U+FFFD, in their record only, and are counted', () => {
  const text = Buffer.concat([Buffer.from('a\nb'), Buffer.from([0xff, 0xc3]), Buffer.from('c\nü\n')]);
  const { records, counts } = encodeText('plain', text);
  expect([bodies(records), counts.recordsRepaired]).toEqual([['a', 'b\ufffd\ufffdc', 'ü'], 1]);
});

test('lines that do not have the format are counted and keep their place', () => {
  const { records, counts } = encodeText('cri', `${criLine('a')}noise\n${criLine('b')}`);
  expect([bodies(records), counts.linesMalformed, counts.lines]).toEqual([
    ['stdout:a', 'noise', 'stdout:b'],
    1,
    3,
  ]);
});

const bodyArbitrary = fc.constantFrom(
  'plain line',
  '\tat a.b(C.java:1)',
  'Caused by: x',
  'Traceback (most recent call last):',
  '  File "x"',
  'KeyError: 1',
  'panic: x',
  'goroutine 1 [running]:',
  'main.main()',
  '',
  '}',
  'süß "quoted" \\ 😀',
  'x'.repeat(300),
);
const lineArbitrary = fc.record({
  body: bodyArbitrary,
  stream: fc.constantFrom('stdout', 'stderr'),
  isPartial: fc.boolean(),
  stepMs: fc.constantFrom(0, 1, 700, 1500),
});

test.each<LineFormat>(lineFormats)(
  '%s: however a file grows, cutting at whole records gives the same records',
  (format) => {
    const readers = new FrameReaders();
    const finder = new GroupCutFinder(readers);
    const property = fc.property(
      fc.array(lineArbitrary, { maxLength: 30 }),
      fc.array(fc.nat(200)),
      (lines, steps) => {
        let ms = 0;
        const rendered = lines.map((line) => {
          ms += line.stepMs;
          return renderLine(format, line, ms);
        });
        const text = Buffer.from(rendered.join(''));
        const ranges: TestRecord[] = [];
        let offset = 0;
        let size = 0;
        for (const step of [...steps, text.length]) {
          size = Math.min(text.length, size + step);
          const chunk = byteSource(Buffer.concat([text.subarray(0, size), Buffer.alloc(copySlackBytes)]));
          const { wholeTo } = finder.find({ format, multiline: 'auto' }, chunk, offset, size);
          ranges.push(...encodeText(format, text.subarray(offset, wholeTo), 400).records);
          offset = wholeTo;
        }
        ranges.push(...encodeText(format, text.subarray(offset), 400).records);
        // Records of two streams may change places with each other; within a stream the order stays.
        expect(byStream(ranges)).toEqual(byStream(encodeText(format, text, 400).records));
      },
    );
    fc.assert(property, { numRuns: 300 });
  },
);

function renderLine(
  format: LineFormat,
  { body, stream, isPartial }: { body: string; stream: string; isPartial: boolean },
  ms: number,
): string {
  if (format === 'cri') return criLine(body, { stream, tag: isPartial ? 'P' : 'F', ms });
  return format === 'docker' ? dockerLine(isPartial ? body : `${body}\n`, { stream, ms }) : `${body}\n`;
}

function byStream(records: readonly TestRecord[]): TestRecord[][] {
  return ['stdout', 'stderr', undefined].map((stream) =>
    records.filter(({ attributes }) => attributes['log.iostream'] === stream),
  );
}

test('any bytes at all give records, never an error, and a second encoding gives the same', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constant(criLine('a')),
    fc.constant(dockerLine('b')),
    fc.constant('{"log":"\\u'),
  );
  const property = fc.property(
    fc.constantFrom(...lineFormats),
    fc.array(
      fc.oneof(
        line.map((text) => Buffer.from(text)),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
    ),
    (format, parts) => {
      const bytes = Buffer.concat(parts);
      expect(encodeText(format, bytes, 50)).toEqual(encodeText(format, bytes, 50));
    },
  );
  fc.assert(property, { numRuns: 500 });
});
