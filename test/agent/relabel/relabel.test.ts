/**
 * Goal: rules do to labels what Prometheus 3 does, and are refused where it refuses them.
 * Method: a table of rules with labels before and after, told again from Prometheus's behaviour; then errors; then fast
 * paths against the machine they replace.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to groups and variables are written so
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { expect, test } from 'vitest';
import { relabel, seriesRelabeler } from '#agent/relabel/relabel.ts';
import { compileRegex } from '#agent/relabel/relabel-regex.ts';
import { compileRule, type RelabelConfig } from '#agent/relabel/relabel-rule.ts';

/** Labels as `a=1 b=2`, sorted; 'dropped' where a rule drops them. */
function apply(labels: Record<string, string>, ...configs: RelabelConfig[]): string {
  const set = new Map(Object.entries(labels));
  if (!relabel(set, configs.map(compileRule))) return 'dropped';
  return [...set]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');
}

test.each<[string, Record<string, string>, RelabelConfig[], string]>([
  [
    'replace is the default, and copies',
    { a: 'x' },
    [{ source_labels: ['a'], target_label: 'b' }],
    'a=x b=x',
  ],
  [
    'a group in braces may stand before letters',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: 'ch${1}-ch${1}' }],
    'a=foo d=choo-choo',
  ],
  [
    'a name without braces goes as far as it can: $1x is no group',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: '$1x|$1' }],
    'a=foo d=|oo',
  ],
  [
    'named groups, and dollars that refer to nothing',
    { a: 'k=v' },
    [
      {
        source_labels: ['a'],
        regex: '(?P<key>\\w+)=(?P<value>\\w+)',
        target_label: '$key',
        replacement: '${value}$$ $ ${ ${01}',
      },
    ],
    'a=k=v k=v$ $ ${ ',
  ],
  [
    'several sources, and a rule sees what the one before did',
    { a: 'foo', b: 'bar', c: 'baz' },
    [
      { source_labels: ['a', 'b'], regex: 'f(.*);(.*)r', target_label: 'a', replacement: 'b${1}${2}m' },
      { source_labels: ['c', 'a'], regex: '(b).*b(.*)ba(.*)', target_label: 'd', replacement: '$1$2$2$3' },
    ],
    'a=boobam b=bar c=baz d=boooom',
  ],
  [
    'another separator',
    { a: '1', b: '2' },
    [{ source_labels: ['a', 'b'], separator: '', target_label: 'c' }],
    'a=1 b=2 c=12',
  ],
  ['no source: a fixed value', { a: '1' }, [{ target_label: 'b', replacement: 'x' }], 'a=1 b=x'],
  ['an empty result deletes', { a: '1', b: '2' }, [{ target_label: 'b', replacement: '' }], 'a=1'],
  ['an absent source is an empty text', { a: '1' }, [{ source_labels: ['z'], target_label: 'a' }], ''],
  [
    'no match, no change',
    { a: 'boo' },
    [{ source_labels: ['a'], regex: 'f', target_label: 'b', replacement: 'x' }],
    'a=boo',
  ],
  [
    'the expression is anchored',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: 'o+', action: 'drop' }],
    'a=foo',
  ],
  [
    'a choice is anchored as a whole',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: 'f|o', action: 'drop' }],
    'a=foo',
  ],
  [
    'a dot matches a newline',
    { a: 'f\no' },
    [{ source_labels: ['a'], regex: 'f.o|x', action: 'drop' }],
    'dropped',
  ],
  [
    'a target from the match; one that is not there changes nothing',
    { a: 'some-name-value' },
    [
      { source_labels: ['a'], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}' },
      { source_labels: ['a'], regex: 'some-([^-]+)-([^,]+)', target_label: '${3}', replacement: '${2}' },
    ],
    'a=some-name-value name=value',
  ],
  ['UTF-8 names', { 'a.ü': '1' }, [{ source_labels: ['a.ü'], target_label: 'b c' }], 'a.ü=1 b c=1'],
  ['keep keeps', { a: 'foo' }, [{ source_labels: ['a'], regex: 'f.*', action: 'keep' }], 'a=foo'],
  ['keep drops', { a: 'foo' }, [{ source_labels: ['a'], regex: 'g.*', action: 'Keep' }], 'dropped'],
  [
    'what is dropped is not looked at again',
    { a: 'foo' },
    [
      { source_labels: ['a'], regex: '.*o.*', action: 'drop' },
      { target_label: 'b', replacement: 'x' },
    ],
    'dropped',
  ],
  [
    'keepequal',
    { t: '1', p: '1' },
    [{ source_labels: ['t'], action: 'keepequal', target_label: 'p' }],
    'p=1 t=1',
  ],
  [
    'keepequal drops',
    { t: '1', p: '2' },
    [{ source_labels: ['t'], action: 'keepequal', target_label: 'p' }],
    'dropped',
  ],
  [
    'dropequal',
    { t: '1', p: '2' },
    [{ source_labels: ['t'], action: 'dropequal', target_label: 'p' }],
    'p=2 t=1',
  ],
  [
    'dropequal of two that are absent',
    { t: '1' },
    [{ source_labels: ['x'], action: 'dropequal', target_label: 'y' }],
    'dropped',
  ],
  [
    'hashmod',
    { c: 'baz' },
    [{ source_labels: ['c'], target_label: 'd', action: 'hashmod', modulus: 1000n }],
    'c=baz d=976',
  ],
  [
    'hashmod of two lines',
    { a: 'foo\nbar' },
    [{ source_labels: ['a'], target_label: 'b', action: 'hashmod', modulus: 1000n }],
    'a=foo\nbar b=734',
  ],
  [
    'labelmap',
    { __meta_my_x: '1', __meta_o: '2' },
    [{ regex: '__meta_(my.*)', action: 'labelmap' }],
    '__meta_my_x=1 __meta_o=2 my_x=1',
  ],
  [
    'labelmap with text',
    { b1: '1' },
    [{ regex: '(b.*)', replacement: 'bar_${1}', action: 'labelmap' }],
    'b1=1 bar_b1=1',
  ],
  ['labeldrop', { a: '1', b1: '2', b2: '3' }, [{ regex: '(b.*)', action: 'labeldrop' }], 'a=1'],
  ['labelkeep', { a: '1', b1: '2', b2: '3' }, [{ regex: '(b.*)', action: 'labelkeep' }], 'b1=2 b2=3'],
  [
    'lowercase, a character at a time',
    { a: 'bAr İΣ' },
    [{ source_labels: ['a'], action: 'lowercase', target_label: 'a' }],
    'a=bar iσ',
  ],
  [
    'uppercase, a character at a time',
    { a: 'bAr ßᾳ' },
    [{ source_labels: ['a'], action: 'uppercase', target_label: 'a' }],
    'a=BAR ßᾼ',
  ],
])('%s', (_name, labels, configs, expected) => expect(apply(labels, ...configs)).toBe(expected));

test.each<[string, RelabelConfig, RegExp | string]>([
  [
    'an unknown action',
    { action: 'replase' },
    'unknown relabel action "replase": expected one of replace, keep',
  ],
  ['no target', { action: 'replace' }, 'action replace requires target_label'],
  ['no modulus', { action: 'hashmod', target_label: 'a' }, 'requires a modulus'],
  ['a target that is not text', { target_label: '\ud800' }, 'is no label name'],
  ['labelmap to nothing', { action: 'labelmap', replacement: '' }, 'is no label name'],
  [
    'lowercase with a replacement',
    { action: 'lowercase', target_label: 'a', replacement: 'x' },
    'does not take replacement',
  ],
  ['keepequal with a regex', { action: 'keepequal', target_label: 'a', regex: 'x' }, 'does not take regex'],
  [
    'labeldrop with sources',
    { action: 'labeldrop', source_labels: ['a'], regex: 'x' },
    'does not take source_labels',
  ],
  ['a regex that is none', { target_label: 'a', regex: 'a(' }, /"a\(" is not a regular expression of RE2/],
  ['a backreference', { target_label: 'a', regex: '(a)\\1' }, 'is not a regular expression of RE2'],
])('refused: %s', (_name, config, message) => expect(() => compileRule(config)).toThrow(message));

test('a series that is dropped is undefined, one that is kept is sorted, no rules is no function', () => {
  const drop = seriesRelabeler([
    compileRule({ source_labels: ['__name__'], regex: 'go_.*', action: 'drop' }),
  ]);
  expect(drop?.([['__name__', 'go_gc']])).toBeUndefined();
  const rename = seriesRelabeler([compileRule({ source_labels: ['z'], target_label: 'a' })]);
  expect(rename?.([['z', '1']])).toEqual([
    ['a', '1'],
    ['z', '1'],
  ]);
  expect(seriesRelabeler([])).toBeUndefined();
});

test('fast paths say what the machine says', () => {
  const patterns = [
    '',
    'a',
    'a|b',
    '|a',
    '.*',
    '(.*)',
    '(.+)',
    'a.*',
    'a(.+)b',
    '.+b',
    'a(.*)a',
    'a|',
    'a.*|b',
    '.+a|ab.*|',
    'a\\|b|a.*',
    '[a|b].*',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...patterns), fc.stringMatching(/^[ab\n]{0,4}$/), (pattern, text) => {
      const matcher = RE2JS.compile(`^(?s:${pattern})$`).matcher(text);
      const expected = matcher.find()
        ? Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '')
        : undefined;
      expect(compileRegex(pattern).captures(text)).toEqual(expected);
      expect(compileRegex(pattern).matches(text)).toBe(expected !== undefined);
    }),
  );
});

test('an expression that backtracks elsewhere takes linear time', () => {
  expect(compileRegex('(a*)*b').matches('a'.repeat(50_000))).toBe(false);
});
