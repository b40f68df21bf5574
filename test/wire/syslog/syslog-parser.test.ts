/**
 * Goal: messages of both RFCs, and of the senders that bend them, become records with everything they say.
 * Method: a table of messages, most from the RFCs themselves, against the decoded record; then properties.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSyslog } from './syslog-text.ts';

describe('RFC 5424', () => {
  test('example 1 of section 6.5', () => {
    const text =
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed for lonvick on /dev/pts/8";
    expect(readSyslog(text)).toEqual({
      body: "'su root' failed for lonvick on /dev/pts/8",
      time: '2003-10-11T22:14:15.003',
      severity: '18 crit',
      attributes: { facility: '4', msg_id: 'ID47' },
      resource: { 'host.name': 'mymachine.example.com', 'service.name': 'su' },
      left: 0,
    });
  });

  test('example 2: an offset, microseconds, a process id', () => {
    const { time, attributes, body } = readSyslog(
      '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It is time to make the do-nuts.',
    );
    expect(time).toBe('2003-08-24T12:14:15.000003');
    expect(attributes).toEqual({ facility: '20', proc_id: '8710' });
    expect(body).toBe('%% It is time to make the do-nuts.');
  });

  test('example 3 and 4: structured data, with and without a message', () => {
    const head = '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 ';
    const data =
      '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]';
    const attributes = {
      facility: '20',
      msg_id: 'ID47',
      'structured_data.exampleSDID@32473.iut': '3',
      'structured_data.exampleSDID@32473.eventSource': 'Application',
      'structured_data.exampleSDID@32473.eventID': '1011',
      'structured_data.examplePriority@32473.class': 'high',
    };
    expect(readSyslog(`${head}${data} \uFEFFAn entry`)).toMatchObject({ attributes, body: 'An entry' });
    expect(readSyslog(`${head}${data}`)).toMatchObject({ attributes, body: '' });
  });

  test('escapes in values, an element without parameters, brackets in values', () => {
    const { attributes } = readSyslog(String.raw`<13>1 - - - - - [a@1 v="q\" b\\ c\] \x []"][bare] text`);
    expect(attributes).toEqual({
      facility: '1',
      'structured_data.a@1.v': String.raw`q" b\ c] \x []`,
      'structured_data.bare': true,
    });
  });

  test('parameters over the limit, and text that is none, are counted', () => {
    const many = Array.from({ length: 130 }, (_, i) => `p${i}="${i}"`).join(' ');
    expect(readSyslog(`<13>1 - - - - - [a ${many}][b x="1"]`).left).toBe(4);
    expect(readSyslog('<13>1 - - - - - [a x=1 y="2" "] m')).toMatchObject({ body: expect.any(String) });
    expect(readSyslog('<13>1 - - - - - [a x=1 y="2"] m')).toMatchObject({
      left: 1,
      attributes: { 'structured_data.a.y': '2' },
    });
  });

  test('all fields absent: no time, the peer is the host', () => {
    expect(readSyslog('<14>1 - - - - - - hi', { peer: '10.0.0.9' })).toMatchObject({
      body: 'hi',
      time: '',
      resource: { 'host.name': '10.0.0.9' },
      attributes: { facility: '1' },
    });
  });

  test('a message that ends behind its structured data, or in a newline and a NUL', () => {
    expect(readSyslog('<14>1 - h a - - -').body).toBe('');
    expect(readSyslog('<14>1 - h a - - - hi\n\0').body).toBe('hi');
  });
});

describe('RFC 3164', () => {
  test.each([
    [
      'the example of 5.4',
      '<34>Oct 11 22:14:15 mymachine su: failed',
      '2026-10-11T22:14:15',
      'mymachine',
      'su',
      'failed',
    ],
    ['a process id', '<13>Nov  6 02:04:05 web-1 sshd[77]: ok', '2026-11-06T02:04:05', 'web-1', 'sshd', 'ok'],
    [
      'no host: /dev/log, Docker',
      '<30>Nov 26 11:59:59 abc[12]: hi',
      '2026-11-26T11:59:59',
      undefined,
      'abc',
      'hi',
    ],
    [
      'no host, no process id',
      '<30>Nov 26 11:59:59 abc: hi there',
      '2026-11-26T11:59:59',
      undefined,
      'abc',
      'hi there',
    ],
    [
      'no tag',
      '<13>Nov 26 11:59:59 h some words: here',
      '2026-11-26T11:59:59',
      'h',
      undefined,
      'some words: here',
    ],
    [
      'rsyslog: RFC 3339',
      '<13>2026-11-26T13:00:00.123456+01:00 h a: x',
      '2026-11-26T12:00:00.123456',
      'h',
      'a',
      'x',
    ],
    ['a year and a fraction', '<13>Nov 26 2025 11:59:59.25 h a: x', '2025-11-26T11:59:59.25', 'h', 'a', 'x'],
    ['an IPv6 host', '<13>Nov 26 11:59:59 fe80::1 a: x', '2026-11-26T11:59:59', 'fe80::1', 'a', 'x'],
    ['a zero before the day', '<13>Nov 06 11:59:59 h a: x', '2026-11-06T11:59:59', 'h', 'a', 'x'],
    ['no space behind the tag', '<13>Nov 26 11:59:59 h a:x', '2026-11-26T11:59:59', 'h', 'a', 'x'],
    ['an empty message', '<13>Nov 26 11:59:59 h a:', '2026-11-26T11:59:59', 'h', 'a', ''],
    ['a leap second', '<13>Dec 31 23:59:60 h a: x', '2025-12-31T23:59:59', 'h', 'a', 'x'],
  ])('%s', (_, text, time, host, app, body) => {
    const record = readSyslog(text);
    expect(record.attributes).not.toHaveProperty('syslog.problem');
    expect([record.time, record.resource['host.name'], record.resource['service.name'], record.body]).toEqual(
      [time, host, app, body],
    );
  });

  test.each([
    ['a message of December in January', '2027-01-01T00:00:10Z', 'Dec 31 23:59:59', '2026-12-31T23:59:59'],
    ['a clock that goes ahead', '2026-12-31T23:59:50Z', 'Jan  1 00:00:05', '2027-01-01T00:00:05'],
    [
      '29 February is only where there is one',
      '2029-01-15T00:00:00Z',
      'Feb 29 00:00:00',
      '2028-02-29T00:00:00',
    ],
  ])('the year is the last that is not far ahead: %s', (_, now, time, expected) => {
    expect(readSyslog(`<13>${time} h a: x`, { now }).time).toBe(expected);
  });

  test.each([
    ['Europe/Berlin', 'Jul  1 12:00:00', '2026-07-01T10:00:00'],
    ['Europe/Berlin', 'Nov  1 12:00:00', '2026-11-01T11:00:00'],
    // Clocks are turned back at 03:00 on 25 October 2026: the first of both.
    ['Europe/Berlin', 'Oct 25 02:30:00', '2026-10-25T00:30:00'],
    // And forward at 02:00 on 29 March: no clock shows it.
    ['Europe/Berlin', 'Mar 29 02:30:00', '2026-03-29T01:30:00'],
    ['Asia/Kathmandu', 'Nov 26 05:45:00', '2026-11-26T00:00:00'],
    ['America/St_Johns', 'Nov 25 20:30:00', '2026-11-26T00:00:00'],
  ])('a time in %s: %s', (zone, time, expected) => {
    expect(readSyslog(`<13>${time} h a: x`, { zone }).time).toBe(expected);
  });

  test('an unknown zone is an error that says what would be right', () => {
    expect(() => readSyslog('', { zone: 'Mars/Olympus' })).toThrow(
      'the time zone Mars/Olympus is unknown: give an IANA name such as Europe/Berlin, or local, or UTC',
    );
  });
});

describe('what is no syslog message is kept whole, with the reason', () => {
  test.each([
    ['hello', 'no_priority', '0'],
    ['<192>1 - - - - - - x', 'no_priority', '0'],
    ['<>1 x', 'no_priority', '0'],
    ['<1', 'no_priority', '0'],
    ['<13>hello world', 'no_time', '10 notice'],
    ['<13>Nov 31 11:59:59 h a: x', 'no_time', '10 notice'],
    ['<13>1 yesterday h a - - - x', 'no_time', '10 notice'],
    ['<13>1 2026-11-26T12:00:00 h a - - - x', 'no_time', '10 notice'],
    ['<13>1 - h a - -', 'header', '10 notice'],
    ['<13>1 - h a', 'header', '10 notice'],
    ['<13>1 - h a - - [x y="1" text', 'structured_data', '10 notice'],
    ['<13>1 - h a - - text', 'structured_data', '10 notice'],
  ])('%s', (text, problem, severity) => {
    expect(readSyslog(text)).toMatchObject({
      body: text,
      time: '',
      severity,
      attributes: { 'syslog.problem': problem },
    });
  });
});

test('severities are those of the OpenTelemetry Collector', () => {
  const read = (priority: number): string => readSyslog(`<${priority}>Nov 26 11:59:59 h a: x`).severity;
  expect(Array.from({ length: 8 }, (_, severity) => read(184 + severity))).toEqual([
    '21 emerg',
    '19 alert',
    '18 crit',
    '17 err',
    '13 warning',
    '10 notice',
    '9 info',
    '5 debug',
  ]);
});

test('whatever the text is, it becomes a record whose body is part of it', () => {
  const pieces = fc.constantFrom(
    '<13>',
    '1 ',
    '- ',
    'Nov 26 11:59:59 ',
    '2026-11-26T12:00:00Z ',
    '[a b="c"]',
    '[',
    '"',
    '\\',
    ']',
    'app[',
    '1]: ',
    'ü',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 6 })), { maxLength: 14 }), (parts) => {
      const text = parts.join('').replaceAll(/[\uD800-\uDFFF]/g, '');
      expect(text).toContain(readSyslog(text).body);
    }),
    { numRuns: 2000 },
  );
});
