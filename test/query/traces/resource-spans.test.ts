/** Goal: spans are grouped as OTLP nests them, and none is lost. Method: a sample by hand. */
import { expect, test } from 'vitest';
import { groupByResource } from '#query/traces/resource-spans.ts';
import { sampleTrace } from './sample-trace.ts';

test('spans stand under their scope and resource, in order of first appearance', () => {
  const shape = groupByResource(sampleTrace).map(({ attributes, scopes }) => [
    attributes.map((pair) => pair.join('=')).join(' '),
    scopes.map(
      ({ name, version, spans }) => `${name}@${version}: ${spans.map((span) => span.name).join(', ')}`,
    ),
  ]);
  expect(shape).toEqual([
    ['service.name=cart', ['http@1.0: GET /', 'grpc@: GET /']],
    ['service.name=pay host.name=ü', ['http@1.0: charge']],
  ]);
});

test('the order of attributes does not make another resource', () => {
  const [, failed] = sampleTrace.spans;
  const turned = { ...failed, resource: [...failed.resource].reverse() };
  expect(groupByResource({ ...sampleTrace, spans: [failed, turned] })).toHaveLength(1);
});
