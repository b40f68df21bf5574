/**
 * Goal: each policy keeps what its name says, and a mistake in a list is told with file, line and key.
 * Method: one trace as a request, one list of policies as YAML, and the name of the policy that keeps it.
 */
import { expect, test } from 'vitest';
import { PolicySet } from '#collector/sampling/policy-set.ts';
import { samplingOptions } from '#collector/sampling/sampling-options.ts';
import { SpanScanner } from '#collector/sampling/span-scanner.ts';
import { TraceTable } from '#collector/sampling/trace-table.ts';
import { loadConfig } from '#model/config/load.ts';
import { encodeTraceRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';

function load(text: string) {
  const indented = text
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
  return loadConfig(
    { collector: samplingOptions },
    {
      file: { path: 'sonde.yml', text: `collector:\n  sampling:\n    policies:\n${indented}\n` },
      environment: {},
      commandLine: new Map(),
    },
  ).config.collector['sampling.policies'];
}

const second = 1_000_000_000n;
const start = 1_700_000_000n * second;
/** A trace id whose randomness is this share of all. */
function idOf(share: number): Uint8Array {
  const id = Buffer.alloc(16, 0xab);
  id.writeUInt32BE(Math.floor(share * 2 ** 32), 9);
  id.fill(0, 13);
  return id;
}
let spanNumber = 1;
function span(fields: ProtoObject = {}): ProtoObject {
  const spanId = Buffer.alloc(8);
  spanId.writeUInt32BE(spanNumber++);
  return {
    traceId: idOf(0.5),
    spanId,
    startTimeUnixNano: start,
    endTimeUnixNano: start + second / 10n,
    ...fields,
  };
}
const child = { parentSpanId: Buffer.alloc(8, 7) };
const attribute = (key: string, value: ProtoObject): ProtoObject => ({ attributes: [{ key, value }] });

interface Judged {
  readonly policy: string | undefined;
  readonly threshold: string | undefined;
}

/** Judges the traces of the spans, one after the other. */
function judgeAll(yaml: string, requests: readonly ProtoObject[], decisionMs = 0, share = 1): Judged[] {
  const policies = new PolicySet(load(yaml), share);
  const table = new TraceTable(policies.conditions.count);
  const scanner = new SpanScanner(table, policies.conditions.count);
  for (const request of requests) scanner.scan(encodeTraceRequest(request), 0, policies, 0);
  const judged: Judged[] = [];
  while (table.decided < table.next) {
    table.facts.at = table.decided;
    const verdict = policies.decide(table.facts, decisionMs);
    table.decide(verdict);
    const threshold = verdict === 0 ? undefined : policies.thresholdOf(verdict);
    judged.push({
      policy: policies.policyOf(verdict),
      threshold: typeof threshold === 'object' ? threshold.text : threshold,
    });
  }
  return judged;
}

const requestOf = (spans: readonly ProtoObject[], resource: ProtoObject = {}): ProtoObject => ({
  resourceSpans: [{ resource, scopeSpans: [{ spans }] }],
});

function judge(yaml: string, spans: readonly ProtoObject[], resource: ProtoObject = {}): string | undefined {
  return judgeAll(yaml, [requestOf(spans, resource)])[0]!.policy;
}

const errors = '- { name: p, type: status_code, status_code: { status_codes: [ERROR] } }';
const slow = '- { name: p, type: latency, latency: { threshold_ms: 1000 } }';
const slowRoot = '- { name: p, type: latency, latency: { threshold_ms: 1000, of: root } }';
const between = '- { name: p, type: latency, latency: { threshold_ms: 100, upper_threshold_ms: 200 } }';
const route =
  '- { name: p, type: string_attribute, string_attribute: { key: http.route, values: [/pay, /ü] } }';
const routes =
  '- { name: p, type: string_attribute, string_attribute: { key: http.route, values: ["^/p.y$"], enabled_regex_matching: true } }';
const onResource =
  '- { name: p, type: string_attribute, string_attribute: { key: env, values: [prod], in: resource } }';
const onSpan =
  '- { name: p, type: string_attribute, string_attribute: { key: env, values: [prod], in: span } }';
const large =
  '- { name: p, type: numeric_attribute, numeric_attribute: { key: size, min_value: -5, max_value: 100 } }';
const flagged = '- { name: p, type: boolean_attribute, boolean_attribute: { key: force, value: true } }';
const unflagged = '- { name: p, type: boolean_attribute, boolean_attribute: { key: force, value: false } }';
const some = '- { name: p, type: span_count, span_count: { min_spans: 2, max_spans: 3 } }';
const quiet = `- name: p\n  type: not\n  not:\n    not_sub_policy:\n      ${errors}`;
const both = `- name: p\n  type: and\n  and:\n    and_sub_policy:\n      ${errors}\n      ${slow.replace('name: p', 'name: q')}`;
const dropHealth = `- { name: all, type: always_sample }\n- name: health\n  type: drop\n  drop:\n    drop_sub_policy:\n      ${route}`;

test.each([
  { name: 'always_sample', yaml: '- { name: p, type: always_sample }', spans: [span()], kept: 'p' },
  { name: 'no policy that holds', yaml: errors, spans: [span()], kept: undefined },
  {
    name: 'an error anywhere',
    yaml: errors,
    spans: [span(), span({ ...child, status: { code: 2 } })],
    kept: 'p',
  },
  { name: 'status ok is no error', yaml: errors, spans: [span({ status: { code: 1 } })], kept: undefined },
  {
    name: 'a status that nobody knows',
    yaml: errors,
    spans: [span({ status: { code: 77 } })],
    kept: undefined,
  },
  {
    name: 'unset is the status of a span without one',
    yaml: errors.replace('ERROR', 'UNSET'),
    spans: [span()],
    kept: 'p',
  },
  {
    name: 'latency from the first start to the last end',
    yaml: slow,
    spans: [span(), span({ ...child, startTimeUnixNano: start + second, endTimeUnixNano: start + second })],
    kept: 'p',
  },
  {
    name: 'latency one nanosecond short',
    yaml: slow,
    spans: [span({ endTimeUnixNano: start + second - 1n })],
    kept: undefined,
  },
  {
    name: 'a span that never ended is not slow',
    yaml: slow,
    spans: [span({ endTimeUnixNano: 0n })],
    kept: undefined,
  },
  {
    name: 'a span without a start does not begin in 1970',
    yaml: slow,
    spans: [span({ startTimeUnixNano: 0n })],
    kept: undefined,
  },
  {
    name: 'latency of the root alone',
    yaml: slowRoot,
    spans: [span(), span({ ...child, endTimeUnixNano: start + 9n * second })],
    kept: undefined,
  },
  { name: 'a slow root', yaml: slowRoot, spans: [span({ endTimeUnixNano: start + 2n * second })], kept: 'p' },
  {
    name: 'no root, no latency of it',
    yaml: slowRoot.replace('1000', '0'),
    spans: [span(child)],
    kept: undefined,
  },
  { name: 'within two latencies', yaml: between, spans: [span()], kept: 'p' },
  {
    name: 'above the upper latency',
    yaml: between,
    spans: [span({ endTimeUnixNano: start + second })],
    kept: undefined,
  },
  { name: 'a text', yaml: route, spans: [span(attribute('http.route', { stringValue: '/pay' }))], kept: 'p' },
  {
    name: 'a text beyond ASCII',
    yaml: route,
    spans: [span(attribute('http.route', { stringValue: '/ü' }))],
    kept: 'p',
  },
  {
    name: 'a text is the whole value',
    yaml: route,
    spans: [span(attribute('http.route', { stringValue: '/pay/2' }))],
    kept: undefined,
  },
  {
    name: 'a key is the whole key',
    yaml: route,
    spans: [span(attribute('http.routes', { stringValue: '/pay' }))],
    kept: undefined,
  },
  {
    name: 'a number is no text',
    yaml: route,
    spans: [span(attribute('http.route', { intValue: 1 }))],
    kept: undefined,
  },
  {
    name: 'an expression',
    yaml: routes,
    spans: [span(attribute('http.route', { stringValue: '/pay' }))],
    kept: 'p',
  },
  {
    name: 'an expression that is not found',
    yaml: routes,
    spans: [span(attribute('http.route', { stringValue: '/pray' }))],
    kept: undefined,
  },
  { name: 'an int', yaml: large, spans: [span(attribute('size', { intValue: 100 }))], kept: 'p' },
  { name: 'a negative int', yaml: large, spans: [span(attribute('size', { intValue: -5 }))], kept: 'p' },
  {
    name: 'an int that is too small',
    yaml: large,
    spans: [span(attribute('size', { intValue: -6 }))],
    kept: undefined,
  },
  { name: 'a double', yaml: large, spans: [span(attribute('size', { doubleValue: 0.5 }))], kept: 'p' },
  {
    name: 'a double that is too large',
    yaml: large,
    spans: [span(attribute('size', { doubleValue: 100.5 }))],
    kept: undefined,
  },
  { name: 'a boolean', yaml: flagged, spans: [span(attribute('force', { boolValue: true }))], kept: 'p' },
  {
    name: 'the other boolean',
    yaml: flagged,
    spans: [span(attribute('force', { boolValue: false }))],
    kept: undefined,
  },
  {
    name: 'false is a value',
    yaml: unflagged,
    spans: [span(attribute('force', { boolValue: false }))],
    kept: 'p',
  },
  { name: 'too few spans', yaml: some, spans: [span()], kept: undefined },
  { name: 'as many spans as wanted', yaml: some, spans: [span(), span(child), span(child)], kept: 'p' },
  { name: 'too many spans', yaml: some, spans: [span(), span(), span(), span()], kept: undefined },
  { name: 'not, of what does not hold', yaml: quiet, spans: [span()], kept: 'p' },
  { name: 'not, of what holds', yaml: quiet, spans: [span({ status: { code: 2 } })], kept: undefined },
  { name: 'and, of one that holds', yaml: both, spans: [span({ status: { code: 2 } })], kept: undefined },
  {
    name: 'and, of two spans that hold one each',
    yaml: both,
    spans: [span({ status: { code: 2 } }), span({ endTimeUnixNano: start + second })],
    kept: 'p',
  },
  {
    name: 'drop comes before what stands in front of it',
    yaml: dropHealth,
    spans: [span(attribute('http.route', { stringValue: '/pay' }))],
    kept: undefined,
  },
  { name: 'what drop does not hold for', yaml: dropHealth, spans: [span()], kept: 'all' },
])('$name', ({ yaml, spans, kept }) => expect(judge(yaml, spans)).toBe(kept));

test('resource and span attributes are told apart where a policy asks for one of them', () => {
  const resource = attribute('env', { stringValue: 'prod' });
  expect(judge(onResource, [span()], resource)).toBe('p');
  expect(judge(onSpan, [span()], resource)).toBeUndefined();
  expect(judge(onSpan, [span(resource)])).toBe('p');
  expect(judge(onResource, [span(resource)])).toBeUndefined();
  expect(judge(onSpan.replace(', in: span', ''), [span()], resource)).toBe('p');
});

const tenth = '- { name: chance, type: probabilistic, probabilistic: { sampling_percentage: 10 } }';

test('probabilistic keeps the upper part of the randomness, and says so in the threshold', () => {
  const ids = [0, 0.5, 0.899, 0.901, 0.999].map((share) => span({ traceId: idOf(share) }));
  const judged = judgeAll(tenth, [requestOf(ids)]);
  expect(judged.map(({ policy }) => policy)).toEqual([undefined, undefined, undefined, 'chance', 'chance']);
  expect(judged.at(-1)!.threshold).toBe('e666');
});

test('a randomness in the trace state stands before that of the trace id', () => {
  const [kept, dropped] = ['ffffffffffffff', '00000000000000'].map(
    (random) => `vendor=1,ot=th:0;rv:${random}`,
  );
  const spans = [
    span({ traceId: idOf(0.1), traceState: kept }),
    span({ traceId: idOf(0.99), traceState: dropped }),
  ];
  expect(judgeAll(tenth, [requestOf(spans)]).map(({ policy }) => policy)).toEqual(['chance', undefined]);
});

test('the threshold is that of the surest policy that holds, whichever came first', () => {
  const likely = span({ traceId: idOf(0.95), status: { code: 2 } });
  const unlikely = span({ traceId: idOf(0.2), status: { code: 2 } });
  const chanceFirst = judgeAll(`${tenth}\n${errors}`, [requestOf([likely, unlikely])]);
  expect(chanceFirst).toEqual([
    { policy: 'chance', threshold: undefined },
    { policy: 'p', threshold: undefined },
  ]);
  const half = tenth.replace('chance', 'half').replace('10 }', '50 }');
  expect(judgeAll(`${tenth}\n${half}`, [requestOf([likely])])).toEqual([
    { policy: 'chance', threshold: '8' },
  ]);
  const rate = '- { name: rate, type: rate_limiting, rate_limiting: { traces_per_second: 1 } }';
  expect(judgeAll(`${rate}\n${tenth}`, [requestOf([likely, unlikely])])).toEqual([
    { policy: 'rate', threshold: 'e666' },
    { policy: 'rate', threshold: 'unknown' },
  ]);
});

test('a hundred percent leaves spans as they are, and none keeps none', () => {
  expect(judgeAll(tenth.replace('10 }', '100 }'), [requestOf([span({ traceId: idOf(0) })])])).toEqual([
    { policy: 'chance', threshold: undefined },
  ]);
  expect(judge(tenth.replace('10 }', '0 }'), [span({ traceId: idOf(0.9999) })])).toBeUndefined();
});

const many = Array.from({ length: 40 }, (_, index) => span({ traceId: idOf(index / 40) }));

test('rates hold over ten seconds, and each partition has its part of them', () => {
  const keptOf = (yaml: string, share: number): number =>
    judgeAll(yaml, [requestOf([...many, ...many])], 0, share).filter(({ policy }) => policy !== undefined)
      .length;
  const traces = '- { name: rate, type: rate_limiting, rate_limiting: { traces_per_second: 2 } }';
  expect(keptOf(traces, 1)).toBe(20);
  expect(keptOf(traces, 1 / 4)).toBe(5);
  // Each trace has two spans.
  expect(keptOf(traces.replace('traces_per', 'spans_per'), 1)).toBe(10);
});

test('a composite gives its policies their shares in its order, and leaves the rest to no other', () => {
  const yaml = [
    '- name: mix',
    '  type: composite',
    '  composite:',
    '    max_total_spans_per_second: 2',
    '    policy_order: [bad, rest]',
    '    composite_sub_policy:',
    '      - { name: rest, type: always_sample }',
    '      - { name: bad, type: status_code, status_code: { status_codes: [ERROR] } }',
    '    rate_allocation: [{ policy: bad, percent: 25 }]',
  ].join('\n');
  const spans = many.map((each, index) => (index % 2 === 0 ? { ...each, status: { code: 2 } } : each));
  const judged = judgeAll(yaml, [requestOf(spans)]);
  const keptAt = judged.flatMap(({ policy }, index) => (policy === undefined ? [] : [index]));
  expect(keptAt.filter((index) => index % 2 === 0)).toHaveLength(5);
  expect(keptAt.filter((index) => index % 2 === 1)).toHaveLength(15);
  expect(judged[0]).toEqual({ policy: 'mix', threshold: 'unknown' });
});

test.each([
  {
    name: 'a type that is nearly one',
    yaml: '- { name: a, type: latencies }',
    says: 'sonde.yml:4: collector.sampling.policies at 0.type: no policy type "latencies" here: did you mean "latency"?, got "latencies"',
  },
  {
    name: 'a type of the OpenTelemetry Collector that is not here',
    yaml: '- { name: a, type: always_sample }\n- { name: b, type: bytes_limiting }',
    says: 'sonde.yml:5: collector.sampling.policies at 1.type: no policy type "bytes_limiting" here: use rate_limiting with spans_per_second, got "bytes_limiting"',
  },
  {
    name: 'a wrong option deep inside',
    yaml: '- name: a\n  type: latency\n  latency:\n    threshold_ms: -1',
    says: 'sonde.yml:7: collector.sampling.policies at 0.latency.threshold_ms: Too small: expected number to be >=0, got -1',
  },
  {
    name: 'a bad expression',
    yaml: '- name: a\n  type: string_attribute\n  string_attribute:\n    key: k\n    enabled_regex_matching: true\n    values:\n      - ok\n      - "("',
    says: 'sonde.yml:11: collector.sampling.policies at 0.string_attribute.values.1: not an RE2 expression: error parsing regexp: missing closing ): `(`, got "("',
  },
  {
    name: 'chance inside of not',
    yaml: `- name: a\n  type: not\n  not:\n    not_sub_policy:\n      ${tenth}`,
    says: 'sonde.yml:8: collector.sampling.policies at 0.not.not_sub_policy.0.type: not takes conditions on what is in a trace: probabilistic is chance or rate, got "probabilistic"',
  },
  {
    name: 'two policies of one name',
    yaml: '- { name: a, type: always_sample }\n- { name: a, type: always_sample }',
    says: 'sonde.yml:5: collector.sampling.policies at 1.name: another policy has the name a, got "a"',
  },
  {
    name: 'options under another key',
    yaml: '- { name: a, type: always_sample, latency: {} }',
    says: 'sonde.yml:4: collector.sampling.policies at 0.latency: unknown key: the options of this policy stand under always_sample, got {}',
  },
  {
    name: 'invert_match',
    yaml: '- { name: a, type: boolean_attribute, boolean_attribute: { key: k, value: true, invert_match: true } }',
    says: 'sonde.yml:4: collector.sampling.policies at 0.boolean_attribute.invert_match: invert_match is not supported: put the policy into one of type not, got true',
  },
])('$name is told with file, line and key', ({ yaml, says }) => expect(() => load(yaml)).toThrow(says));
