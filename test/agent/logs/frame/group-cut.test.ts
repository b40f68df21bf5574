/**
 * Goal: ranges end where records end.
 * Method: file content with a mark where the last whole record ends, in small files and behind more lines than the
 * finder looks at first.
 */
import { expect, test } from 'vitest';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { GroupCutFinder } from '#agent/logs/frame/group-cut.ts';
import { byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { criLine } from '../log-text.ts';

const finder = new GroupCutFinder(new FrameReaders());
const err = { stream: 'stderr' };
const part = { tag: 'P' };

/** The content before each cut: 'whole' and 'stream' records, and whole lines. */
function cuts(text: string) {
  const bytes = Buffer.concat([Buffer.from(text), Buffer.alloc(copySlackBytes)]);
  const cut = finder.find(
    { format: 'cri', multiline: 'auto' },
    byteSource(bytes),
    0,
    Buffer.byteLength(text),
  );
  const before = (to: number) => bytes.subarray(0, to).toString();
  return {
    whole: before(cut.wholeTo),
    stream: before(cut.streamTo),
    line: before(cut.lineTo),
    open: cut.isPartialOpen,
  };
}

test.each<{ name: string; whole: string; rest: string }>([
  { name: 'the last line waits', whole: criLine('a'), rest: criLine('b') },
  { name: 'a torn line waits with the line before it', whole: criLine('a'), rest: `${criLine('b')}2026-01` },
  {
    name: 'a stack trace waits whole',
    whole: criLine('a'),
    rest: criLine('E') + criLine('  at x') + criLine('  at y'),
  },
  { name: 'pieces of a line wait', whole: criLine('a'), rest: criLine('b', part) + criLine('c', part) },
  {
    name: 'the end of pieces waits for what may join',
    whole: criLine('a'),
    rest: criLine('b', part) + criLine('c'),
  },
  {
    name: 'a trace of the other stream is not cut by lines in between',
    whole: criLine('a'),
    rest: criLine('E', err) + criLine('b') + criLine('  at x', err) + criLine('c'),
  },
  {
    name: 'a line of the other stream shows that its record before was whole',
    whole: criLine('E', err) + criLine('a'),
    rest: criLine('b') + criLine('F', err),
  },
  {
    name: 'a record of the other stream is whole a second later',
    whole: criLine('E', err) + criLine('a', { ms: 100 }),
    rest: criLine('b', { ms: 1500 }),
  },
  { name: 'a line without the format ends what was before it', whole: criLine('a'), rest: 'noise\n' },
])('$name', ({ whole, rest }) => {
  expect(cuts(whole + rest).whole).toBe(whole);
  const filler = criLine('filler', { ms: -5000 }).repeat(3000);
  // Behind many lines the finder may stop at an earlier record, never within one.
  expect([filler, filler + whole]).toContain(cuts(filler + whole + rest).whole);
});

test('while streams mix without end, a cut at a record of one stream is offered, and whole lines always are', () => {
  const lines = criLine('E', err) + criLine('a') + criLine('b');
  expect(cuts(`${lines}torn`)).toEqual({
    whole: '',
    stream: criLine('E', err) + criLine('a'),
    line: lines,
    open: false,
  });
  expect(cuts(criLine('b', part))).toEqual({ whole: '', stream: '', line: criLine('b', part), open: true });
  expect(cuts('torn')).toEqual({ whole: '', stream: '', line: '', open: false });
});
