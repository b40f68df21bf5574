/** Goal: a definition is checked as a whole and filled with HPA's defaults. Method: one whole one, a table of mistakes. */
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { parseSignalDefinition } from '#query/scaling/signal-definition.ts';

const minimal = { query: 'sum(q)', target: { type: 'value', value: 10 }, max_replicas: 5 };

function parse(input: unknown, name = 'checkout') {
  return parseSignalDefinition(name, input, (query) => {
    if (query.includes('((')) throw new ParseError('1:3: parse error: unexpected end of input', 2, 2);
  });
}

test('what is left out has the defaults of the horizontal pod autoscaler', () => {
  const percent = { type: 'percent', value: 100, period_seconds: 15 };
  expect(parse(minimal)).toEqual({
    name: 'checkout',
    ...minimal,
    language: 'promql',
    min_replicas: 1,
    activation_threshold: 0,
    missing_data: 'hold',
    interval_ms: 15_000,
    tolerance: 0.1,
    behavior: {
      scale_up: {
        stabilization_window_seconds: 0,
        select_policy: 'max',
        policies: [{ type: 'pods', value: 4, period_seconds: 15 }, percent],
      },
      scale_down: { stabilization_window_seconds: 300, select_policy: 'max', policies: [percent] },
    },
  });
});

test('a definition that was stored reads back as itself', () => {
  const definition = parse({ ...minimal, behavior: { scale_up: { stabilization_window_seconds: 60 } } });
  expect(parse(JSON.parse(JSON.stringify(definition)))).toEqual(definition);
});

test.each([
  ['no object', 'text', 'expected object, received string'],
  ['no query', { ...minimal, query: undefined }, 'query: expected string, received undefined'],
  ['a broken query', { ...minimal, query: '((' }, 'query: 1:3: parse error: unexpected end of input'],
  ['another language', { ...minimal, language: 'logql' }, 'language: only "promql" is supported yet'],
  ['a forecast', { ...minimal, forecast: {} }, '"forecast" is not supported yet'],
  ['several queries', { ...minimal, queries: [] }, '"queries" is not supported yet'],
  ['a misspelt key', { ...minimal, max_replica: 1 }, 'unknown key "max_replica"'],
  [
    'a misspelt inner key',
    { ...minimal, target: { type: 'value', value: 1, unit: 's' } },
    'unknown key "target.unit"',
  ],
  ['a target of zero', { ...minimal, target: { type: 'value', value: 0 } }, 'target.value: '],
  ['an unknown target', { ...minimal, target: { type: 'cpu', value: 1 } }, 'target.type: Invalid option'],
  [
    'bounds the wrong way round',
    { ...minimal, min_replicas: 6 },
    'min_replicas: must not be above max_replicas',
  ],
  ['too often', { ...minimal, interval_ms: 10 }, 'interval_ms: '],
  [
    'a period too long',
    { ...minimal, behavior: { scale_up: { policies: [{ type: 'pods', value: 1, period_seconds: 3600 }] } } },
    'behavior.scale_up.policies.0.period_seconds: ',
  ],
  ['another name', { ...minimal, name: 'other' }, 'the name in the body is "other", in the path "checkout"'],
])('%s is refused', (_name, input, message) => {
  expect(() => parse(input)).toThrow(RefusedError);
  expect(() => parse(input)).toThrow(message);
});

test.each(['', 'a b', '-a', 'a/b', 'x'.repeat(129)])('the name %j is refused', (name) => {
  expect(() => parse(minimal, name)).toThrow('is not allowed');
});
