/**
 * Goal: every shape of a numbered record says who wrote it, and a change of any byte of it is seen.
 * Method: the shapes by their numbers, read back as a store returns them; then one character changed at each place.
 */
import { expect, test } from 'vitest';
import { numberedLines, readNumberedLine } from '#load/numbered-line.ts';

const shape = { lineBytes: 160, isSingleLine: false };
const name = (seq: number) => ({ run: 'ab12', sender: 'log-file-1', seq });
const textOf = (seq: number, lineShape = shape): string => numberedLines(name(seq), lineShape).join('\n');

test.each([
  { shape: 'ordinary', seq: 1, lines: 1, length: 160 },
  { shape: 'JSON', seq: 3, lines: 1, length: 160 },
  { shape: 'stack trace', seq: 19, lines: 5, length: 262 },
  { shape: 'long', seq: 53, lines: 1, length: 20_013 },
])('$shape: $lines lines, $length characters, and who wrote it', ({ seq, lines, length }) => {
  expect(numberedLines(name(seq), shape)).toHaveLength(lines);
  expect(Math.abs(textOf(seq).length - length)).toBeLessThan(40);
  expect(readNumberedLine(textOf(seq))).toEqual({ ...name(seq), isWhole: true });
});

test('JSON lines are JSON, with characters of more than a byte', () => {
  const { msg } = JSON.parse(textOf(3)) as { msg: string };
  expect(msg).toBe('caf\u00e9 order \u4e16 saved run=ab12 sender=log-file-1 seq=3 ');
});

test('the same number is the same text, another one another', () => {
  expect(textOf(7)).toBe(textOf(7));
  expect(textOf(7).replace('seq=7', 'seq=8')).not.toBe(textOf(8));
});

test('without stack traces every record is one line', () => {
  for (let seq = 1; seq <= 200; seq++) {
    expect(numberedLines(name(seq), { ...shape, isSingleLine: true })).toHaveLength(1);
  }
});

test('a line is never shorter than what it must say', () => {
  expect(readNumberedLine(textOf(1, { lineBytes: 1, isSingleLine: false }))?.isWhole).toBe(true);
  expect(readNumberedLine(textOf(3, { lineBytes: 1, isSingleLine: false }))?.isWhole).toBe(true);
});

test.each([1, 3, 19])('record %i: no character can be changed, left out or cut off unseen', (seq) => {
  const text = textOf(seq);
  for (let at = 0; at < text.length; at++) {
    for (const changed of [
      `${text.slice(0, at)}~${text.slice(at + 1)}`,
      text.slice(0, at) + text.slice(at + 1),
      text.slice(0, at),
    ]) {
      expect(readNumberedLine(changed)?.isWhole ?? false, `at ${at}`).toBe(false);
    }
  }
});

test('text of somebody else names nobody', () => {
  expect(readNumberedLine('GET /a')).toBeUndefined();
  expect(readNumberedLine('run= sender=a seq=1')).toBeUndefined();
  expect(readNumberedLine('run=a sender=b seq=1234567890123456')).toBeUndefined();
});
