/**
 * Goal: a good group is read whole; a bad one is refused with group, rule, line and reason, every mistake at once.
 * Method: tables of YAML -> group and YAML -> message.
 */
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { parseRuleGroup, plainRuleGroup, ruleGroupBytesMax } from '#query/rules/rule-group.ts';

function validateQuery(query: string): void {
  if (query.includes('((')) throw new ParseError('1:4: parse error: unexpected end of input', 3, 3);
}

const parse = (yaml: string) => parseRuleGroup(yaml, validateQuery);

test('a group is read with its durations, limit and templates; the rule’s labels go over the group’s', () => {
  const group = parse(`
name: web
interval: 30s
query_offset: 1m
limit: 10
labels: { team: core, severity: info }
rules:
  - alert: Down
    expr: up == 0
    for: 1h30m
    keep_firing_for: 5m
    labels: { severity: 007 }
    annotations: { summary: "{{ $labels.instance }}" }
`);
  expect(group).toMatchObject({ name: 'web', intervalMs: 30_000, queryOffsetMs: 60_000, limit: 10 });
  const [rule] = group.rules;
  expect(rule).toMatchObject({ name: 'Down', expr: 'up == 0', forMs: 5_400_000, keepFiringForMs: 300_000 });
  expect(rule.labels.map(({ name, template }) => [name, template.source])).toEqual([
    ['severity', '007'],
    ['team', 'core'],
  ]);
  expect(rule.annotations[0].name).toBe('summary');
});

test('what is left out has Prometheus’s defaults, and empty maps are none', () => {
  const group = parse('name: a\nrules:\n- alert: A\n  expr: up\n  labels:\n');
  expect(group).toEqual({
    name: 'a',
    intervalMs: undefined,
    queryOffsetMs: 0,
    limit: 0,
    rules: [{ name: 'A', expr: 'up', forMs: 0, keepFiringForMs: 0, labels: [], annotations: [] }],
  });
});

test.each([
  [
    'an unknown key',
    'name: g\nrules:\n- alert: A\n  expr: up\n  fro: 5m',
    'group "g", rule 1 "A", line 3: unknown key "fro"',
  ],
  [
    'an unknown key of the group',
    'name: g\nsource_tenants: [a]\nrules: [{alert: A, expr: up}]',
    'group "g", line 1: unknown key "source_tenants"',
  ],
  [
    'a recording rule',
    'name: g\nrules:\n- record: a:b\n  expr: up',
    'group "g", rule 1 "a:b", line 3: recording rules are not supported yet',
  ],
  [
    'both kinds',
    'name: g\nrules:\n- record: a\n  alert: A\n  expr: up',
    'only one of "record" and "alert" must be set',
  ],
  ['no kind', 'name: g\nrules:\n- expr: up', 'group "g", rule 1, line 3: "alert" must be set'],
  ['no query', 'name: g\nrules:\n- alert: A', 'group "g", rule 1 "A", line 3: expr: is required'],
  [
    'an empty query',
    'name: g\nrules:\n- alert: A\n  expr: " "',
    'rule 1 "A", line 4: expr: must not be empty',
  ],
  [
    'a broken query',
    'name: g\nrules:\n- alert: A\n  expr: up((',
    'rule 1 "A", line 4: expr: 1:4: parse error: unexpected end of input',
  ],
  [
    'a broken duration',
    'name: g\nrules:\n- alert: A\n  expr: up\n  for: 5 minutes',
    'line 5: for: not a valid duration string: "5 minutes"',
  ],
  [
    'a broken template',
    'name: g\nrules:\n- alert: A\n  expr: up\n  annotations:\n    a: ok\n    b: "{{ if }}"',
    'rule 1 "A", line 7: annotations.b: "if" is not supported in a template yet, at character 4 of the template',
  ],
  [
    'a label that is the metric name',
    'name: g\nrules:\n- alert: A\n  expr: up\n  labels: {__name__: x}',
    'labels: the name "__name__" is not allowed',
  ],
  [
    'a label that is no text',
    'name: g\nrules:\n- alert: A\n  expr: up\n  labels: {a: [b]}',
    'rule 1 "A", line 5: a: expected string, received array',
  ],
  [
    'an interval too short',
    'name: g\ninterval: 1ms\nrules: [{alert: A, expr: up}]',
    'group "g", line 2: interval: must be between 1s and 1d',
  ],
  [
    'a limit that is no number',
    'name: g\nlimit: -1\nrules: [{alert: A, expr: up}]',
    'line 2: limit: must be a whole number, not "-1"',
  ],
  ['no rules', 'name: g\nrules: []', 'group "g", line 2: rules: '],
  ['no name', 'rules: [{alert: A, expr: up}]', 'group "", line 1: name: is required'],
  ['broken YAML', 'name: g\nrules: [', 'line 2: the YAML cannot be read: '],
  [
    'a key twice',
    'name: g\nname: h\nrules: [{alert: A, expr: up}]',
    'line 2: the YAML cannot be read: Map keys must be unique',
  ],
  ['no mapping', 'hello', 'the body must be one rule group in YAML'],
  ['an alias of nothing', 'name: *x\nrules: []', 'the YAML cannot be read'],
  ['deep nesting', '['.repeat(20_000), 'the YAML cannot be read'],
  ['too much', `name: ${'x'.repeat(ruleGroupBytesMax)}`, 'a rule group may have 61440 bytes of YAML'],
])('%s is refused', (_name, yaml, message) => {
  expect(() => parse(yaml)).toThrow(RefusedError);
  expect(() => parse(yaml)).toThrow(message);
});

test('every mistake is reported at once, each on its own line', () => {
  const yaml = 'name: g\ninterval: x\nrules:\n- alert: A\n  expr: ((\n- record: b\n  expr: up\n';
  expect(() => parse(yaml)).toThrow(/line 2: interval.*\n.*line 5: expr.*\n.*line 6: recording/);
});

test('a hundred mistakes are counted, not printed', () => {
  const yaml = `name: g\nrules:\n${'- record: b\n  expr: up\n'.repeat(100)}`;
  expect(() => parse(yaml)).toThrow(/\nand 80 more mistakes$/);
});

test('a stored group comes back as plain data with its texts as they were written', () => {
  expect(plainRuleGroup('name: g\nlimit: 3\nrules: [{alert: A, expr: "1", labels: {a: 007}}]')).toEqual({
    name: 'g',
    limit: 3,
    rules: [{ alert: 'A', expr: '1', labels: { a: '007' } }],
  });
});
