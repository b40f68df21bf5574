/**
 * Goal: a metrics page means what the text format 0.0.4 and OpenMetrics 1.0 say, or the error names line and reason.
 * Method: tables of page -> samples; then fuzzing by mutation: a page is taken or refused with an ExpositionError.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpositionError } from '#agent/scrape/exposition-error.ts';
import { type ExpositionFormat, parseExposition } from '#agent/scrape/exposition-parser.ts';
import { parsePairs, parseSeriesText, seriesBytesMax } from '#agent/scrape/series-text.ts';

/** Each sample and metadata line as text: `name{label=value} value@timestamp`, or the error's message. */
function parse(text: string | Uint8Array, format: ExpositionFormat = 'text'): string[] {
  const page = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const lines: string[] = [];
  try {
    parseExposition(page, format, {
      knownLines: (start: number) => start,
      expectSeries: () => -1,
      knowsMetadata: () => false,
      metadata: (kind, name, said) => lines.push(`${kind} ${name}: ${JSON.stringify(said)}`),
      exemplar(start, labelsEnd, _end, value, timestampMs) {
        const labels = new Map<string, string>();
        parsePairs(page, start, labelsEnd, labels);
        const pairs = [...labels].map(([key, said]) => `${key}=${JSON.stringify(said)}`);
        lines.push(`exemplar {${pairs}} ${value}${Number.isNaN(timestampMs) ? '' : `@${timestampMs}`}`);
      },
      sample(start, end, value, timestampMs) {
        const labels = parseSeriesText(page, start, end);
        const name = labels.get('__name__');
        labels.delete('__name__');
        const pairs = [...labels].map(([key, said]) => `${key}=${JSON.stringify(said)}`);
        const shownValue = Object.is(value, -0) ? '-0' : String(value);
        lines.push(`${name}{${pairs}} ${shownValue}${Number.isNaN(timestampMs) ? '' : `@${timestampMs}`}`);
      },
    });
    return lines;
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error;
    return [error.message];
  }
}

describe('text format 0.0.4', () => {
  test.each<[string, string, string[]]>([
    ['an empty page', '', []],
    ['a name and a value', 'up 1\n', ['up{} 1']],
    ['the last line may lack its end', 'up 1', ['up{} 1']],
    ['labels', 'a{b="c",d="e"} 1\n', ['a{b="c",d="e"} 1']],
    ['a comma after the last label', 'a{b="c",} 1\n', ['a{b="c"} 1']],
    ['an empty label set', 'a{} 1\n', ['a{} 1']],
    ['blanks everywhere', ' \ta { b = "c" , d = "e" } \t 1  5 \n\n \n', ['a{b="c",d="e"} 1@5']],
    ['escapes in a label value', 'a{b="x\\\\y\\"z\\n\\t"} 1\n', [String.raw`a{b="x\\y\"z\n\\t"} 1`]],
    ['a brace, a comma and a hash in a label value', 'a{b="}, # {"} 1\n', ['a{b="}, # {"} 1']],
    ['other scripts', 'a{b="日本é"} 1\n', ['a{b="日本é"} 1']],
    ['quoted names', '{"http.requests","my.label"="x",b="c"} 1\n', ['http.requests{my.label="x",b="c"} 1']],
    ['a timestamp in milliseconds', 'a 1 1700000000123\n', ['a{} 1@1700000000123']],
    ['a timestamp before 1970', 'a 1 -5\n', ['a{} 1@-5']],
    ['colons in a name', 'job:up:sum 1\n', ['job:up:sum{} 1']],
    ['help with escapes', '# HELP a one\\ntwo \\\\ "x"\n', [String.raw`help a: "one\ntwo \\ \"x\""`]],
    ['help without a text', '# HELP a\n', ['help a: ""']],
    ['types', '# TYPE a counter\n#\tTYPE  b\tuntyped \n', ['type a: "counter"', 'type b: "unknown"']],
    ['type of a quoted name', '# TYPE "my.name" gauge\n', ['type my.name: "gauge"']],
    ['comments', '# hello\n#TYPE a b\n# HELPFUL a\n# TYPE\n#\n# UNIT a b\n# EOF\na 1\n', ['a{} 1']],
    ['an exemplar is refused', 'a 1 # {b="c"} 1\n', ['line 1: expected a number, not "#"']],
  ])('%s', (_name, page, lines) => expect(parse(page)).toEqual(lines));
});

describe('values', () => {
  test.each<[string, string]>([
    ['0', '0'],
    ['-0', '-0'],
    ['12', '12'],
    ['+1.5', '1.5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e3', '1000'],
    ['1.5E-7', '1.5e-7'],
    ['NaN', 'NaN'],
    ['nan', 'NaN'],
    ['+Inf', 'Infinity'],
    ['-inf', '-Infinity'],
    ['Infinity', 'Infinity'],
    ['123456789012345678', '123456789012345680'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['4.9e-324', '5e-324'],
  ])('%s is read exactly', (text, value) => expect(parse(`a ${text}\n`)).toEqual([`a{} ${value}`]));

  test.each(['0x10', '0x1p3', '1_000', 'abc', '1,5', '--1', '1e', '.', '+', 'e5', '1.2.3', 'infinit'])(
    '%s is no number',
    (text) =>
      expect(parse(`a 1\na ${text}\n`)).toEqual([`line 2: expected a number, not ${JSON.stringify(text)}`]),
  );

  test('the nearest double is taken, whatever the digits', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.nat(30)).map(([digits, point]) => {
        const text = String(digits);
        return `${text.slice(0, point)}.${text.slice(point)}0`;
      }),
    );
    fc.assert(
      fc.property(number, (text) => {
        const value = Object.is(Number(text), -0) ? '-0' : String(Number(text));
        expect(parse(`a ${text}\n`)).toEqual([`a{} ${value}`]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('OpenMetrics 1.0', () => {
  test.each<[string, string, string[]]>([
    ['an empty page', '# EOF\n', []],
    ['the end may lack its newline', 'a 1\n# EOF', ['a{} 1']],
    ['seconds become milliseconds', 'a 1 1700000000.1235\n# EOF\n', ['a{} 1@1700000000124']],
    ['a unit', '# UNIT a_seconds seconds\n# EOF\n', ['unit a_seconds: "seconds"']],
    [
      'its own types',
      '# TYPE a gaugehistogram\n# TYPE b unknown\n# EOF\n',
      ['type a: "gaugehistogram"', 'type b: "unknown"'],
    ],
    ['an escaped quote in help', '# HELP a x\\"y\n# EOF\n', [String.raw`help a: "x\"y"`]],
    [
      'exemplars come before their sample',
      'a_total{b="c"} 1 # {trace_id="x"} 0.5 1.5\na_bucket{le="1"} 1 5 # {} 1\n# EOF\n',
      ['exemplar {trace_id="x"} 0.5@1500', 'a_total{b="c"} 1', 'exemplar {} 1', 'a_bucket{le="1"} 1@5000'],
    ],
    ['a page without an end', 'a 1\n', ['line 2: the page does not end with "# EOF": it was cut short']],
    ['nothing may follow the end', '# EOF\na 1\n', ['line 2: expected nothing after "# EOF"']],
    ['an empty line', 'a 1\n\n# EOF\n', ['line 2: expected a metric name, not the end of the line']],
    ['two spaces', 'a  1\n# EOF\n', ['line 1: expected a number, not ""']],
    [
      'a free comment',
      '# hello\n# EOF\n',
      ['line 1: expected HELP, TYPE, UNIT or EOF after "# " in OpenMetrics'],
    ],
    ['no untyped', '# TYPE a untyped\n# EOF\n', ['line 1: "untyped" is not a metric type']],
    [
      'a unit that the name does not end with',
      '# UNIT a_bytes seconds\n# EOF\n',
      ['line 1: the unit "seconds" is not the end of the metric name a_bytes'],
    ],
    ['a broken exemplar', 'a 1 # b 1\n# EOF\n', [`line 1: expected "{" of an exemplar, not 'b'`]],
  ])('%s', (_name, page, lines) => expect(parse(page, 'openmetrics')).toEqual(lines));
});

describe('errors name the line and the reason', () => {
  test.each<[string, string, string]>([
    ['HTML', '<!DOCTYPE html>\n', "line 1: expected a metric name, not '<'"],
    ['no value', 'a 1\nb\n', 'line 2: expected a space before a value, not the end of the line'],
    ['no value after a space', 'b \n', 'line 1: expected a number, not ""'],
    ['an open quote', 'a{b="c} 1\nd 1\n', 'line 1: a quoted text has no closing quote'],
    ['an escaped newline', 'a{b="c\\\n"} 1\n', 'line 1: a quoted text has no closing quote'],
    ['an open brace', 'a{b="c" 1\n', `line 1: expected "," or "}" after a label, not '1'`],
    ['an unquoted value', 'a{b=c} 1\n', "line 1: expected a quoted label value, not 'c'"],
    ['no label value', 'a{b} 1\n', `line 1: expected "=" after a label name, not '}'`],
    ['a label that starts with a digit', 'a{1b="c"} 1\n', "line 1: expected a label name, not '1'"],
    ['a second comma', 'a{b="c",,} 1\n', "line 1: expected a label name, not ','"],
    ['a quoted name and another', 'a{"b"} 1\n', `line 1: expected "=" after a label name, not '}'`],
    ['a label twice', 'a{b="1",b="2"} 1\n', 'line 1: the label b stands twice in one sample'],
    ['no metric name', 'a 1\n{b="c"} 1\n', 'line 2: a sample has no metric name'],
    ['an empty label name', 'a{""="c"} 1\n', 'line 1: a label name is empty'],
    ['an unknown type', '# TYPE a blob\n', 'line 1: "blob" is not a metric type'],
    ['a fraction of a millisecond', 'a 1 1.5\n', 'line 1: expected a timestamp in whole milliseconds'],
    ['a word after the timestamp', 'a 1 5 x\n', "line 1: expected the end of the line, not 'x'"],
    ['a number out of range', 'a 1e999\n', 'line 1: the number 1e999 is out of range'],
    ['a number without end', `a ${'1'.repeat(600)}\n`, 'line 1: a number is longer than 512 bytes'],
    ['a carriage return', 'a 1\r\n', 'line 1: expected a number, not "1\\r"'],
    ['a NUL', 'a\0 1\n', 'line 1: expected a space before a value, not byte 0x00'],
    [
      'a huge label',
      `a{b="${'x'.repeat(seriesBytesMax)}"} 1\n`,
      'line 1: a series is longer than 65536 bytes',
    ],
  ])('%s', (_name, page, message) => expect(parse(page)).toEqual([message]));

  test('a label value that is not UTF-8', () => {
    const page = Buffer.concat([Buffer.from('a 1\na{b="'), Buffer.of(0xc3, 0x28), Buffer.from('"} 1\n')]);
    expect(parse(page)).toEqual(['line 2: a name, label or text is not UTF-8']);
  });
});

test.each<ExpositionFormat>(['text', 'openmetrics'])(
  'any mutation of a %s page is taken or refused',
  (format) => {
    const seed = Buffer.from(
      '# HELP a b\\nc\n# TYPE a histogram\na_bucket{le="+Inf",x="\\"é"} 1.5e3 1700000000 # {t="x"} 1 2\n' +
        '{"a.b",c="d"} NaN\n# UNIT a s\nup 1\n# EOF\n',
    );
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom(...'{}",=#\\ \n19.eN').map((c) => Buffer.from(c)),
    );
    const mutation = fc.tuple(fc.nat(seed.length), fc.nat(6), piece);
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 5 }), (mutations) => {
        let page: Buffer = seed;
        for (const [at, removed, added] of mutations) {
          page = Buffer.concat([page.subarray(0, at), added, page.subarray(at + removed)]);
        }
        expect(parse(page, format)).toBeInstanceOf(Array);
      }),
      { numRuns: 2000 },
    );
  },
);

test('each prefix of a page is taken or refused', () => {
  const page = Buffer.from(
    '# TYPE a counter\na{b="\\\\",c="d"} 1.5 17 # {e="f"} 1\n# HELP "q" x\n{"g"} +Inf\n',
  );
  for (let end = 0; end <= page.length; end++) {
    for (const format of ['text', 'openmetrics'] as const)
      expect(parse(page.subarray(0, end), format)).toBeDefined();
  }
});
