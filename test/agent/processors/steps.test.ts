/**
 * Goal: keep, drop, sample, severity, attributes and parse do to records what their documentation says.
 * Method: YAML entries and lines in; bodies, attributes and severities, as protobufjs decodes them, out.
 */
import { expect, test } from 'vitest';
import { process, processOnce, readEntries, startProcessors } from './processed-text.ts';

const bodies = async (yaml: string, lines: readonly string[], resource?: Record<string, string>) =>
  (await processOnce(yaml, `${lines.join('\n')}\n`, resource)).map(({ body }) => body);

test.each<[string, string[], string[]]>([
  ['- drop: { body: "GET /healthz" }', ['GET /healthz 200', 'GET /cart 200'], ['GET /cart 200']],
  ['- drop: { body: "^DEBUG" }', ['DEBUG a', 'a DEBUG'], ['a DEBUG']],
  ['- drop: { body: "ok$" }', ['all ok', 'ok then'], ['ok then']],
  ['- drop: { body: "^$" }', ['', 'a'], ['a']],
  ['- drop: { body: "timeout|refused" }', ['read timeout', 'refused', 'fine'], ['fine']],
  ['- drop: { body: ["a1", "b[12]"] }', ['a1', 'b2', 'b3'], ['b3']],
  ['- drop: { body: "id=\\d+ done" }', ['id=12 done', 'id= done'], ['id= done']],
  ['- drop: { body: "(?i)ERROR" }', ['an error', 'fine'], ['fine']],
  ['- drop: { body: "ü{2}" }', ['üü', 'ü'], ['ü']],
  ['- drop: { body: "x+yz?" }', ['xxy', 'yz'], ['yz']],
  ['- keep: { body: "pay" }', ['paid', 'pay', 'payment'], ['pay', 'payment']],
  ['- drop: { severity: below warn }', ['DEBUG a', 'level=info b', '[WARN] c', 'd'], ['[WARN] c', 'd']],
  ['- keep: { severity: from error }', ['INFO a', 'ERROR b', 'who knows'], ['ERROR b', 'who knows']],
  ['- drop: { severity: info, body: a }', ['INFO a', 'INFO b', 'ERROR a'], ['INFO b', 'ERROR a']],
  [
    '- parse: { format: logfmt }\n- drop: { attributes: { path: "^/live$" } }',
    ['path=/live', 'path=/a'],
    ['path=/a'],
  ],
])('%s', async (yaml, lines, expected) =>
  expect(await bodies(yaml.replaceAll('\\', '\\\\'), lines)).toEqual(expected),
);

test.each([
  ['{"level":"warning","msg":"x"}', 'WARN 13'],
  ['{"level":50,"msg":"x"}', 'ERROR 17'],
  ['ts=1 level=debug msg=x', 'DEBUG 5'],
  ['2026-01-02 03:04:05 [ERROR] x', 'ERROR 17'],
  ['E1126 12:00:00.000000 1 main.go:7] x', 'ERROR 17'],
  ['<11>Jan  2 03:04:05 host app: x', 'ERROR 17'],
  ['<191>x', 'DEBUG 5'],
  ['<192>x', ''],
  ['WARNING:root:x', 'WARN 13'],
  ['2026-01-02 03:04:05,123 - app - CRITICAL - x', 'FATAL 21'],
  ['nothing to see', ''],
])('severity of %s', async (line, severity) => {
  const [record] = await processOnce('- severity:', line);
  expect(record!.severity).toBe(severity);
});

test('a severity by default is for records that say none', async () => {
  const records = await processOnce('- severity: { default: info }', 'x\nERROR y\n');
  expect(records.map(({ severity }) => severity)).toEqual(['INFO 9', 'ERROR 17']);
});

test('when: globs, expressions, lists and their opposites decide by resource', async () => {
  const dropped = async (when: string, resource: Record<string, string>) =>
    (await bodies(`- drop: { body: a }\n  when: ${when}`, ['a'], resource)).length === 0;
  const web = { 'k8s.namespace.name': 'shop-eu', 'container.name': 'web-1' };
  expect(await dropped('{ k8s.namespace.name: "shop-*" }', web)).toBe(true);
  expect(await dropped('{ k8s.namespace.name: shop }', web)).toBe(false);
  expect(await dropped('{ container.name: "/^web-\\\\d$/" }'.replace('\\\\', '\\\\'), web)).toBe(true);
  expect(await dropped('{ k8s.namespace.name: [a, "shop-??"], container.name: "!db*" }', web)).toBe(true);
  expect(await dropped('{ container.name: ["web*", "!web-1"] }', web)).toBe(false);
  expect(await dropped('{ missing: "?*" }', web)).toBe(false);
});

test('sample keeps its share, the same records each time, and all of a key or none', async () => {
  const lines = Array.from({ length: 4000 }, (_, index) => `request ${index} trace=${index >> 2}`);
  const kept = await bodies('- sample: { rate: 0.25 }', lines);
  expect(kept.length / lines.length).toBeGreaterThan(0.2);
  expect(kept.length / lines.length).toBeLessThan(0.3);
  expect(await bodies('- sample: { rate: 0.25 }', lines)).toEqual(kept);
  const byKey = await bodies('- sample: { rate: 0.25, key: "trace=(.*)" }', [...lines, 'no key']);
  expect(byKey.at(-1)).toBe('no key');
  const keys = new Map<string, number>();
  for (const body of byKey.slice(0, -1)) {
    const key = body.split('=')[1]!;
    keys.set(key, (keys.get(key) ?? 0) + 1);
  }
  expect(new Set(keys.values())).toEqual(new Set([4]));
  expect(keys.size / 1000).toBeGreaterThan(0.2);
  expect(keys.size / 1000).toBeLessThan(0.3);
  const bySeverity = await bodies('- sample: { rate: 0, severity: { error: 1 } }', [
    'INFO a',
    'ERROR b',
    'c',
  ]);
  expect(bySeverity).toEqual(['ERROR b']);
});

test('attributes are deleted, renamed and set, on records and on the resource', async () => {
  const yaml = `
- parse: { format: json }
- attributes: { delete: [b], rename: { a: x, missing: c }, set: { team: shop, n: 7 }, resource: { set: { env: prod }, rename: { service.name: app } } }
- drop: { body: "." }
  when: { env: "!prod" }`;
  const [record] = await processOnce(yaml, '{"a":1,"b":2,"c":3,"x":4,"team":"old"}');
  expect(record!.attributes).toEqual({ x: 1, c: 3, team: 'shop', n: 7 });
  expect(record!.resource).toEqual({ app: 'web', env: 'prod' });
});

test.each<[string, string, object]>([
  [
    '{ format: json }',
    '{"user":{"id":7,"a":{"b":{"c":1}}},"ok":true,"x":null,"f":1.5,"t":["a"]}',
    {
      'user.id': 7,
      'user.a.b': '{"c":1}',
      ok: true,
      f: 1.5,
      t: '["a"]',
    },
  ],
  ['{ format: json, prefix: app., fields: [a] }', '{"a":"x","b":"y"}', { 'app.a': 'x' }],
  ['{ format: json }', '{"s":"a\\"\\u00fc\\n","a":"1","a":"2"}', { s: 'a"ü\n', a: '1' }],
  ['{ format: json }', '{"big":12345678901234567890,"neg":-3}', { big: '12345678901234567890', neg: -3 }],
  ['{ format: json, attributes_max: 1 }', '{"a":1,"b":2}', { a: 1 }],
  ['{ format: json, value_bytes_max: 3 }', '{"a":"1234","b":"123"}', { b: '123' }],
  ['{ format: json }', '{"a":1', {}],
  ['{ format: json }', '{"a":1} trailing', {}],
  ['{ format: json }', '{"a":nope}', {}],
  [
    '{ format: logfmt }',
    'level=info id=7 msg="it is \\"paid\\"" flag',
    { level: 'info', id: '7', msg: 'it is "paid"' },
  ],
  ['{ format: logfmt }', 'plain words a=b', {}],
  [
    '{ pattern: "(?P<method>[A-Z]+) (?P<path>\\S+)(?P<q>\\?.*)?" }',
    'x GET /ü 1',
    { method: 'GET', path: '/ü' },
  ],
])('parse %s of %s', async (options, line, attributes) => {
  const [record] = await processOnce(`- parse: ${options.replaceAll('\\', '\\\\')}`, line);
  expect(record!.attributes).toEqual(attributes);
  expect(record!.body).toBe(line);
});

test.each([
  ['rfc3339', '"2026-01-02T03:04:05.000000006Z"', '1767323045000000006'],
  ['rfc3339', '"2026-01-02 04:04:05+01:00"', '1767323045000000000'],
  ['unix_ms', '1767323045123', '1767323045123000000'],
  ['unix', '1767323045.5', '1767323045500000000'],
  ['"YYYY-MM-DD hh:mm:ss,SSS"', '"2026-01-02 03:04:05,123"', '1767323045123000000'],
  ['"DD/MMM/YYYY:hh:mm:ss Z"', '"02/Jan/2026:04:04:05 +0100"', '1767323045000000000'],
  ['rfc3339', '"2026-02-30T03:04:05Z"', undefined],
])('parse: a time as %s', async (layout, value, time) => {
  const yaml = `- parse: { format: json, timestamp: { field: ts, layout: ${layout} }, message: msg }`;
  const [record] = await processOnce(yaml, `{"ts":${value},"msg":"hello"}`);
  expect(record!.time).toBe(time);
  expect(record!.body).toBe('hello');
  if (time !== undefined) expect(record!.attributes).toEqual({});
});

test('what is dropped on purpose is counted by step, and apart from records', async () => {
  const processors = await startProcessors(
    '- drop: { body: a }\n- drop: { body: b }\n- parse: { format: json }',
  );
  const { records, dropped, settle } = process(processors, 'a\nb\nc\n');
  settle();
  expect(records.map(({ body }) => body)).toEqual(['c']);
  expect(dropped).toBe(2);
  expect(
    processors.totals().map(({ processor, in: taken, dropped: gone }) => [processor, taken, gone]),
  ).toEqual([
    ['0.drop', 3, 1],
    ['1.drop', 2, 1],
    ['2.parse', 1, 0],
  ]);
  expect(processors.totals()[2]!.notes).toEqual({ unparsed: 1 });
});

test.each([
  ['- dorp: { body: a }', '0.dorp: no processor of that name, did you mean "drop"?'],
  [
    '- drop: { body: "(" }',
    '0.drop.body: not an RE2 expression: error parsing regexp: missing closing ): `(`',
  ],
  ['- drop: {}', '0.drop: expected at least one of body, severity, attributes'],
  ['- drop: { severity: loud }', '0.drop.severity: expected a level'],
  ['- drop: { bdoy: a }', '0.drop: Unrecognized key: "bdoy"'],
  ['- severity:\n- sample: { rate: 2 }', '1.sample.rate: Too big'],
  ['- sample: { rate: 1, key: "a" }', '0.sample.key: expected one group'],
  ['- redact: { detectors: [emial] }', '0.redact.detectors: expected all, or a list of credit_card, email'],
  ['- redact: { mode: hash }', '0.redact.key_file: mode hash needs key_file'],
  ['- parse: {}', '0.parse.format: give format (json or logfmt), or pattern'],
  [
    '- parse: { format: json, timestamp: { field: a, layout: MM } }',
    '0.parse.timestamp.layout: expected rfc3339',
  ],
  ['- drop: { body: a }\n  keep: { body: b }', '0: expected one processor'],
  ['- drop: { body: a }\n  when: { a: "/(/" }', '0.when.a'],
  ['- module: a.ts\n- drop: { body: a }', '1: drop stands behind a module'],
  [
    '- log_metric: { name: a, labels: { b: { group: c } } }',
    '0.log_metric.labels.b: pattern has no group "c"',
  ],
  ['- just text', '0: expected one of keep, drop'],
])('a mistake is named: %s', (yaml, message) => expect(() => readEntries(yaml)).toThrow(message));
