/**
 * Goal: alert texts read as Prometheus writes them, and what is not supported is refused with its place.
 * Method: tables of template -> text and template -> mistake; any other text is a template or a TemplateError.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TemplateError } from '#query/rules/template/scanner.ts';
import { parseTemplate, renderTemplate } from '#query/rules/template/template.ts';

const labels = [
  ['instance', 'host:9100'],
  ['n', '42'],
] as const;

function render(source: string, value = 0.5): string {
  return renderTemplate(parseTemplate(source), {
    labels,
    value,
    externalLabels: [['region', 'eu']],
    externalUrl: 'http://sonde',
  });
}

test.each([
  ['no action at all', 'no action at all'],
  ['{{ $labels.instance }} is at {{ $value }}', 'host:9100 is at 0.5'],
  ['{{ .Labels.instance }} {{ .Value }} {{.ExternalURL}}', 'host:9100 0.5 http://sonde'],
  ['{{ $externalLabels.region }} {{ $externalURL }}', 'eu http://sonde'],
  ['[{{ $labels.absent }}]', '[]'],
  ['a {{- $value -}} b', 'a0.5b'],
  ['a{{/* a comment with }} in it */}}b', 'ab'],
  ['{{ "quoted \\"text\\" \\u00e9" }} {{ `raw \\n` }}', 'quoted "text" é raw \\n'],
  ['{{ $value | humanizePercentage }}', '50%'],
  ['{{ humanize 1234567.0 }} {{ humanize 0.00123 }} {{ humanize 0 }}', '1.235M 1.23m 0'],
  ['{{ humanize1024 1048576 }} {{ humanize1024 1 }}', '1Mi 1'],
  ['{{ humanizeDuration 0 }} {{ humanizeDuration 3725 }} {{ humanizeDuration 0.0042 }}', '0s 1h 2m 5s 4.2ms'],
  [
    '{{ humanizeDuration 93784 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration -61 }}',
    '1d 2h 3m 4s 59.5s -1m 1s',
  ],
  ['{{ humanizeDuration $labels.n }}', '42s'],
  ['{{ humanize $labels.instance }}', '<error expanding template: "host:9100" is not a number>'],
  ['{{ printf "%.2f%%" $value }}', '0.50%'],
  ['{{ $value | printf "%g|%e|%s" 3.0 }}', '3|5.000000e-01|%!s(MISSING)'],
  ['{{ printf "%d|%5d|%-5d|%05d" 7 7 7 7 }}', '7|    7|7    |00007'],
  ['{{ printf "%d %s" $value $value }}', '%!d(float64=0.5) %!s(float64=0.5)'],
  ['{{ printf "%s|%8s|%.2s|%q" $labels.n "x" "abc" "a\\"b" }}', '42|       x|ab|"a\\"b"'],
  ['{{ printf "%+g % g %08.2f" $value $value -1.5 }}', '+0.5  0.5 -0001.50'],
  ['{{ printf "x" 1 "a" }}', 'x%!(EXTRA int=1, string=a)'],
  ['{{ toUpper (printf "%s!" $labels.instance) | toLower }}', 'host:9100!'],
])('%s', (source, text) => {
  expect(render(source)).toBe(text);
});

test.each([
  ['{{ if $value }}x{{ end }}', '"if" is not supported in a template yet, at character 4 of the template'],
  ['up {{ range . }}', '"range" is not supported in a template yet, at character 7 of the template'],
  ['{{ query "up" }}', 'function "query" is not supported in a template (known: humanize, humanize1024,'],
  ['{{ $labels }}', '$labels needs the name of a label: $labels.NAME, at character 4 of the template'],
  ['{{ $x.y }}', '$x.y is not supported in a template (known: $labels.NAME, $value,'],
  ['{{ $value | "x" }}', '"|" must be followed by the name of a function, at character 13 of the template'],
  ['{{ humanize }}', 'humanize takes one argument, not 0, at character 4 of the template'],
  ['{{ humanize $value 2 }}', 'humanize takes one argument, not 2, at character 4 of the template'],
  ['{{ printf $value }}', 'the first argument of printf must be a string in quotes, at character 11'],
  ['{{ $value | printf }}', 'the first argument of printf must be a string in quotes'],
  [
    '{{ printf "%x" 1 }}',
    'printf directive "%x" is not supported (known: %s %d %v %q %e %f %g %%), at character 12',
  ],
  ['{{ printf "%1000d" 1 }}', 'printf allows a width up to 200 and a precision up to 100'],
  ['{{ printf "%" 1 }}', 'the printf format ends in the middle of a directive'],
  [
    '{{ toUpper humanize 1 }}',
    'a function as an argument needs parentheses: (humanize ...), at character 12',
  ],
  ['{{ $value', '"{{" is not closed by "}}", at character 1 of the template'],
  ['{{ "abc }}', 'the string is not closed, at character 4 of the template'],
  ['{{ (humanize 1 }}', '"(" is not closed by ")", at character 4 of the template'],
  ['{{ $value 1 }}', 'unexpected "1", at character 11 of the template'],
  ['{{ }}', 'unexpected end of the action, at character 4 of the template'],
  ['{{ $value ; }}', 'unexpected ";", at character 11 of the template'],
  ['{{/* open', 'the comment is not closed by "*/", at character 1 of the template'],
  [`{{ ${'('.repeat(30)}1${')'.repeat(30)} }}`, 'parentheses are nested deeper than 20'],
  ['x'.repeat(16_385), 'a template may have 16384 characters, not 16385'],
])('%s is refused', (source, message) => {
  expect(() => parseTemplate(source)).toThrow(message);
});

test('any text is a template that renders, or a TemplateError', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '$labels.a',
    '$value',
    '|',
    '(',
    ')',
    '"',
    'printf "%d"',
    ' ',
    '-',
    '.5',
    '%',
    'é',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 }), (pieces) => {
      try {
        return typeof render(pieces.join('')) === 'string';
      } catch (error) {
        return error instanceof TemplateError;
      }
    }),
  );
});
