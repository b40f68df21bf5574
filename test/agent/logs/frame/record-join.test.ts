/**
 * Goal: lines become records by the rule that is asked for, and a rule that is none says so.
 * Method: texts in several lines, and the records that a rule makes of them.
 */
import { expect, test } from 'vitest';
import { multilineFault } from '#agent/logs/frame/record-join.ts';
import { criLine, encodeText } from '../log-text.ts';

const records = (multiline: string, lines: readonly string[]): string[] =>
  encodeText('plain', lines.join('\n'), 1024, multiline).records.map(({ body }) => body);

test('a regular expression names the first line of a record', () => {
  const lines = ['torn', '[1] start', 'more', '  indented', '[2] start', '', 'more'];
  expect(records('^\\[\\d+\\]', lines)).toEqual(['torn', '[1] start\nmore\n  indented', '[2] start\n\nmore']);
  expect(records('start$', lines)).toEqual(['torn', '[1] start\nmore\n  indented', '[2] start\n\nmore']);
});

test('off joins nothing, auto joins stack traces', () => {
  const lines = ['broken', '\tat a.B.c(B.java:1)', 'next'];
  expect(records('off', lines)).toEqual(lines);
  expect(records('auto', lines)).toEqual(['broken\n\tat a.B.c(B.java:1)', 'next']);
});

test('an unhandled .NET exception is one record', () => {
  const trace = [
    'Unhandled exception. System.InvalidOperationException: no stock',
    ' ---> System.TimeoutException: the database',
    '   at Shop.Db.Read() in /src/Db.cs:line 12',
    '   --- End of inner exception stack trace ---',
    '   at Shop.Cart.Add() in /src/Cart.cs:line 41',
  ];
  expect(records('auto', [...trace, 'next'])).toEqual([trace.join('\n'), 'next']);
});

const keyLines = [
  '-----BEGIN RSA PRIVATE KEY-----',
  'Proc-Type: 4,ENCRYPTED',
  'DEK-Info: AES-256-CBC,0123456789ABCDEF',
  '',
  'MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun',
  'VTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTx=',
  '-----END RSA PRIVATE KEY-----',
];

test('a key in PEM is one record, whatever stands before it in its first line', () => {
  const [first, ...rest] = keyLines;
  const lines = [`loaded: ${first}`, ...rest];
  expect(records('auto', ['before', ...lines, 'after', ...keyLines, 'QUJD'])).toEqual([
    'before',
    lines.join('\n'),
    'after',
    keyLines.join('\n'),
    'QUJD',
  ]);
});

test('a key that is cut short joins nothing that cannot be its own', () => {
  const cut = keyLines.slice(0, 5);
  expect(records('auto', [...cut, 'level=info msg=next', 'QUJD'])).toEqual([
    cut.join('\n'),
    'level=info msg=next',
    'QUJD',
  ]);
  const other = ['----- BEGIN of the report -----', 'QUJD', '-----END-----', '-----'];
  expect(records('auto', other)).toEqual(other);
});

test('a record is bounded by lines, bytes and time, whatever the rule', () => {
  const many = ['first', ...Array.from({ length: 1200 }, () => 'x')];
  expect(encodeText('plain', many.join('\n'), 1_000_000, '^first').records).toHaveLength(3);
  const long = ['first', 'x'.repeat(800), 'y'.repeat(800)];
  const { records: split, counts } = encodeText('plain', long.join('\n'), 1024, '^first');
  expect(split.map(({ body }) => body)).toEqual([`first\n${'x'.repeat(800)}`, 'y'.repeat(800)]);
  expect(counts.recordsSplit).toBe(1);
  const late = criLine('first', { ms: 0 }) + criLine('later', { ms: 5000 });
  expect(encodeText('cri', late, 1024, '^first').records.map(({ body }) => body)).toEqual(['first', 'later']);
});

test('each stream of a container has its own records', () => {
  const text =
    criLine('first 1') +
    criLine('first 2', { stream: 'stderr' }) +
    criLine('more 1') +
    criLine('more 2', { stream: 'stderr' });
  const bodies = encodeText('cri', text, 1024, '^first').records.map(({ body }) => body);
  expect(bodies.sort()).toEqual(['first 1\nmore 1', 'first 2\nmore 2']);
});

test.each([
  ['auto', ''],
  ['off', ''],
  ['^\\d', ''],
  ['', 'expected auto, off, or a regular expression'],
  ['(', '"(" is neither auto, off, nor a regular expression: '],
  ['(?=x)', 'nor a regular expression: '],
  ['(.?){900}[xy]', 'makes too large a machine: 3603 instructions of at most 300'],
])('the rule %j has the fault %j', (rule, fault) => {
  if (fault === '') expect(multilineFault(rule)).toBe('');
  else expect(multilineFault(rule)).toContain(fault);
});
