/**
 * Goal: the options of Prometheus's `otlp` block do here what they do there.
 * Method: generated requests against the naive decoder under every strategy, by checksum in the engine; then one
 * example per option, shown as Prometheus would write it; then the configuration's own rules.
 */
import { afterAll, expect, test } from 'vitest';
import { collectorOptions, transcoderOptions } from '#collector/collector-options.ts';
import {
  type MetricTranslation,
  metricTranslationDefault,
  translationStrategies,
} from '#collector/transcode/metric-translation.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { loadConfig } from '#model/config/load.ts';
import { Lcg } from '../../support/lcg.ts';
import { naiveMetrics } from '../../support/naive/naive-metrics.ts';
import { encodeMetricsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs, metricsRequest } from '../../support/otlp-generator.ts';
import { expectSamples } from '../../support/sample-comparison.ts';
import { sampleLines } from '../../support/sample-lines.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;
const oldestUnixMs = Number.NEGATIVE_INFINITY;

function transcode(bytes: Uint8Array, changes: Partial<MetricTranslation>) {
  return createTranscoder({
    ...transcoderOptionsDefault,
    metrics: { ...metricTranslationDefault, ...changes },
  })({
    requests: [{ signal: 'metrics', tenant: 'default', bytes }],
    nowUnixMs,
    oldestUnixMs,
    seriesEpoch: 0,
  });
}

const everyOption: readonly Partial<MetricTranslation>[] = [
  ...translationStrategies.map((strategy) => ({ strategy })),
  { promotedAttributes: ['host.cpu', 'service.name', 'absent'] },
  { isEveryAttributePromoted: true, ignoredAttributes: ['process.command_args'] },
  { keepsIdentifyingAttributes: true, isScopePromoted: false },
  { keepsUnderscores: false, isUnderscorePrefixed: false },
  { convertsHistograms: true },
  { strategy: 'NoTranslation', isEveryAttributePromoted: true, keepsIdentifyingAttributes: true },
];

test.each(everyOption)('generated requests under %j give the rows of the naive decoder', (changes) => {
  const random = new Lcg(77);
  // Protobuf messages after one another are one message with all of their resources.
  const parts = Array.from({ length: 30 }, () => encodeMetricsRequest(metricsRequest(random)));
  const bytes = new Uint8Array(Buffer.concat(parts));
  const rules = { ...metricTranslationDefault, ...changes };
  const result = transcode(bytes, changes);
  const naive = naiveMetrics(bytes, { tenant: 'default', nowUnixMs, oldestUnixMs }, undefined, rules);
  expect(naive.samples.length).toBeGreaterThan(300);
  const custom = naive.histograms.filter(({ schema }) => schema === -53);
  expect(custom.length > 30).toBe(changes.convertsHistograms === true);
  expectSamples(engine, `option_${everyOption.indexOf(changes)}`, result, [naive]);
});

const at = { timeUnixNano: 1_700_000_000_000_000_000n };
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const resource = {
  attributes: [
    text('service.name', 'cart'),
    text('service.instance.id', 'i-1'),
    text('host.name', 'node7'),
    text('k8s.pod.name', 'p'),
  ],
};
const point = { ...at, asInt: 1, attributes: [text('host.name', 'mine')] };

function linesOf(metric: ProtoObject, changes: Partial<MetricTranslation>): string[] {
  const scopeMetrics = [{ scope: { name: 'lib' }, metrics: [metric] }];
  return sampleLines(
    engine,
    transcode(encodeMetricsRequest({ resourceMetrics: [{ resource, scopeMetrics }] }), changes),
  ).map((line) => line.replace(' @1700000000000', ''));
}

test('promoted attributes are labels of each series, but win over none that the point has', () => {
  const gauge = { name: 'up', gauge: { dataPoints: [point] } };
  expect(
    linesOf(gauge, { promotedAttributes: ['host.name', 'k8s.pod.name'], isScopePromoted: false }),
  ).toEqual([
    'target_info{host_name="node7",instance="i-1",job="cart",k8s_pod_name="p"} 1',
    'up{host_name="mine",instance="i-1",job="cart",k8s_pod_name="p"} 1',
  ]);
  expect(
    linesOf(gauge, { isEveryAttributePromoted: true, ignoredAttributes: ['k8s.pod.name'] }),
  ).toContainEqual(
    'up{host_name="mine",instance="i-1",job="cart",otel_scope_name="lib",service_instance_id="i-1",service_name="cart"} 1',
  );
});

test('identifying attributes stay on target_info where they are wanted', () => {
  const gauge = { name: 'up', gauge: { dataPoints: [point] } };
  expect(linesOf(gauge, { keepsIdentifyingAttributes: true })).toContainEqual(
    'target_info{host_name="node7",instance="i-1",job="cart",k8s_pod_name="p",service_instance_id="i-1",service_name="cart"} 1',
  );
});

test('a name that is not translated keeps its dots, and histograms their suffixes; metadata has the same name', () => {
  const dataPoints = [{ ...at, count: 1, sum: 0.5, explicitBounds: [1], bucketCounts: [1, 0] }];
  const histogram = { aggregationTemporality: 2, dataPoints };
  const metric = { name: 'http.server.duration', unit: 's', description: 'Time.', histogram };
  expect(linesOf(metric, { strategy: 'NoTranslation', isScopePromoted: false }).slice(0, 4)).toEqual([
    'http.server.duration_bucket{instance="i-1",job="cart",le="+Inf"} 1',
    'http.server.duration_bucket{instance="i-1",job="cart",le="1"} 1',
    'http.server.duration_count{instance="i-1",job="cart"} 1',
    'http.server.duration_sum{instance="i-1",job="cart"} 0.5',
  ]);
  for (const [i, strategy] of translationStrategies.entries()) {
    const bytes = encodeMetricsRequest({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] });
    const { blocks } = transcode(bytes, { strategy });
    engine.createTable(`described_${i}`, 'metric_metadata');
    engine.insertBlock(`described_${i}`, 'metric_metadata', blocks[0]!.parts);
    expect(engine.rows(`SELECT metric, type, help, unit FROM described_${i}`)).toEqual([
      {
        metric: [
          'http_server_duration_seconds',
          'http_server_duration',
          'http.server.duration_seconds',
          'http.server.duration',
        ][i],
        type: 'histogram',
        help: 'Time.',
        unit: 'seconds',
      },
    ]);
  }
});

test('an attribute that has no label name is refused with its point, the others are stored', () => {
  const dataPoints = [point, { ...at, asInt: 2, attributes: [text('日本', 'x')] }];
  const bytes = encodeMetricsRequest({
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }] }],
  });
  expect(transcode(bytes, {}).outcomes[0]).toMatchObject({
    accepted: 1,
    rejections: [{ reason: 'invalid_label_name', count: 1 }],
  });
  expect(transcode(bytes, { strategy: 'NoTranslation' }).outcomes[0]).toMatchObject({ accepted: 2 });
});

const configured = (collector: object) =>
  transcoderOptions(
    loadConfig(
      { collector: collectorOptions },
      {
        file: { path: 'c.yaml', text: JSON.stringify({ collector }) },
        environment: {},
        commandLine: new Map(),
      },
    ).config.collector,
  );

test('the options reach the transcoder, and none of them means the defaults', () => {
  expect(configured({})).toEqual(transcoderOptionsDefault);
  expect(
    configured({ otlp: { translation_strategy: 'NoTranslation', promote_resource_attributes: ['a'] } }),
  ).toMatchObject({ metrics: { strategy: 'NoTranslation', promotedAttributes: ['a'] } });
  expect(configured({ otlp: { convert_histograms_to_nhcb: true } })).toMatchObject({
    metrics: { convertsHistograms: true },
  });
});

test.each([
  [{ promote_all_resource_attributes: true, promote_resource_attributes: ['a'] }, /set one of them/],
  [{ ignore_resource_attributes: ['a'] }, /has no meaning unless/],
  [{ promote_resource_attributes: ['a', 'a'] }, /holds a twice/],
  [{ promote_resource_attributes: [' a'] }, /begins or ends with a space/],
  [{ translation_strategy: 'Whatever' }, /translation_strategy/],
  [{ convert_histograms_to_nhcb: 'sometimes' }, /convert_histograms_to_nhcb/],
])('%j is refused', (otlp, message) => {
  expect(() => configured({ otlp })).toThrow(message);
});
