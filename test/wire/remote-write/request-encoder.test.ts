/**
 * Goal: what we encode is what a protobuf library reads, also when series, symbols and metadata are used again.
 * Method: protobufjs decodes every request; one property over random series and values.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Labels, sortLabels } from '#model/labels.ts';
import { metricTypes, noMetadata, RequestEncoder } from '#wire/remote-write/request-encoder.ts';
import { decodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';
import { decodeRequest, renderRequest } from './request-text.ts';

const labels = (name: string, rest: Record<string, string> = {}): Labels =>
  sortLabels([['__name__', name], ...Object.entries(rest)]);

test('a request holds its symbols once, the empty one first, then one message per sample', () => {
  const encoder = new RequestEncoder();
  const a = encoder.addSeries(labels('up', { job: 'api', zone: 'api' }));
  const b = encoder.addSeries(labels('up', { job: 'web' }));
  encoder.writeSample(a, noMetadata, 1, 1_700_000_000_000);
  encoder.writeSample(b, noMetadata, 0, 1_700_000_000_000);
  expect(decodeRemoteWrite2(encoder.finish())).toMatchObject({
    symbols: ['', '__name__', 'up', 'job', 'api', 'zone', 'web'],
    timeseries: [
      { labelsRefs: [1, 2, 3, 4, 5, 4], samples: [{ value: 1, timestamp: '1700000000000' }] },
      { labelsRefs: [1, 2, 3, 6], samples: [{ timestamp: '1700000000000' }] },
    ],
  });
});

test.each([
  ['a fraction', 0.1, '0.1'],
  ['negative zero', -0, '-0'],
  ['infinity', Number.NEGATIVE_INFINITY, '-Infinity'],
  ['NaN', Number.NaN, 'NaN'],
  ['the smallest double', 5e-324, '5e-324'],
])('a sample keeps %s', (_name, value, text) => {
  const encoder = new RequestEncoder();
  encoder.writeSample(encoder.addSeries(labels('m')), noMetadata, value, 5);
  expect(renderRequest(encoder.finish())).toEqual([`m{} ${text} @5`]);
});

test.each([0, -1, 127, 128, -62_135_596_800_000, Number.MAX_SAFE_INTEGER])(
  'a timestamp of %i ms is kept',
  (timestamp) => {
    const encoder = new RequestEncoder();
    encoder.writeSample(encoder.addSeries(labels('m')), noMetadata, 1, timestamp);
    expect(renderRequest(encoder.finish())).toEqual([`m{} 1 @${timestamp}`]);
  },
);

test('a stale marker is the NaN of the specification and carries no metadata', () => {
  const encoder = new RequestEncoder();
  encoder.writeStaleMarker(encoder.addSeries(labels('gone')), 7);
  const [series] = decodeRequest(encoder.finish()).timeseries;
  expect(BigInt(series!.samples[0]!.value)).toBe(0x7ff0000000000002n);
  expect(series!.metadata).toBeNull();
});

test('metadata refers to type, help and unit', () => {
  const encoder = new RequestEncoder();
  const series = encoder.addSeries(labels('size_bytes'));
  for (const type of ['unknown', 'stateset'] as const) {
    const id = encoder.addMetadata(type, 'How large.', 'bytes');
    expect(encoder.addMetadata(type, 'How large.', 'bytes')).toBe(id);
    encoder.writeSample(series, id, 1, 1);
  }
  encoder.writeSample(series, encoder.addMetadata('unknown', '', ''), 1, 1);
  expect(renderRequest(encoder.finish())).toEqual([
    'size_bytes{} 1 @1 unknown "How large." bytes',
    'size_bytes{} 1 @1 stateset "How large." bytes',
    'size_bytes{} 1 @1 unknown ""',
  ]);
  expect(Object.values(metricTypes)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('ids stay valid over requests, and a finished request is not touched by the next', () => {
  const encoder = new RequestEncoder();
  const a = encoder.addSeries(labels('a'));
  encoder.writeSample(a, noMetadata, 1, 10);
  const first = encoder.finish();
  const b = encoder.addSeries(labels('b', { x: 'é\n"' }));
  encoder.writeSample(b, noMetadata, 2, 20);
  encoder.writeSample(a, noMetadata, 3, 20);
  expect(encoder.finish().length).toBeGreaterThan(first.length);
  expect(renderRequest(first)).toEqual(['a{} 1 @10']);
  expect(renderRequest(encoder.finish())).toEqual([]);
});

test('equal labels have one id', () => {
  const encoder = new RequestEncoder();
  const id = encoder.addSeries(labels('a', { x: '1', y: '2' }));
  expect(encoder.addSeries(labels('a', { x: '1', y: '2' }))).toBe(id);
  expect(encoder.addSeries(labels('a', { x: '2', y: '1' }))).not.toBe(id);
  expect(encoder.seriesCount).toBe(2);
});

test('the size of a full request is foretold within a tenth', () => {
  const encoder = new RequestEncoder();
  const ids = Array.from({ length: 5000 }, (_, i) => encoder.addSeries(labels('http', { path: `/p/${i}` })));
  const foretold = encoder.fullRequestBytes;
  for (const id of ids) encoder.writeSample(id, noMetadata, 1, 1_700_000_000_000);
  expect(encoder.requestBytes).toBe(encoder.finish().length);
  for (const id of ids) encoder.writeSample(id, noMetadata, 1, 1_700_000_000_000);
  expect(Math.abs(encoder.finish().length / foretold - 1)).toBeLessThan(0.1);
});

test('whatever the labels and values, the library reads back what was written', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
  const series = fc.dictionary(name, name, { minKeys: 1, maxKeys: 40 });
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          series,
          fc.double({ noNaN: true }).map((value) => value + 0),
          fc.maxSafeInteger(),
        ),
        { maxLength: 30 },
      ),
      (rows) => {
        const encoder = new RequestEncoder();
        const sorted = rows.map(([pairs]) => sortLabels(Object.entries(pairs)));
        rows.forEach(([, value, timestamp], i) => {
          encoder.writeSample(encoder.addSeries(sorted[i]!), noMetadata, value, timestamp);
        });
        const { symbols, timeseries } = decodeRemoteWrite2(encoder.finish()) as unknown as {
          symbols: string[];
          timeseries: { labelsRefs: number[]; samples: { value?: number; timestamp?: string }[] }[];
        };
        expect(new Set(symbols).size).toBe(symbols.length);
        expect(timeseries.map(({ labelsRefs }) => labelsRefs.map((ref) => symbols[ref]))).toEqual(
          sorted.map((l) => l.flat()),
        );
        expect(timeseries.map(({ samples: [s] }) => [s!.value ?? 0, Number(s!.timestamp ?? 0)])).toEqual(
          rows.map(([, value, timestamp]) => [value, timestamp]),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('a start time stands beside the sample, and not beside the next one', () => {
  const encoder = new RequestEncoder();
  const a = encoder.addSeries(labels('a'));
  for (const startMs of [1_700_000_000_000, 0, 5])
    encoder.writeSample(a, noMetadata, 1, 1_800_000_000_000, startMs);
  expect(renderRequest(encoder.finish()).map((line) => line.replace(/.*@1800000000000/, ''))).toEqual([
    ' since 1700000000000',
    '',
    ' since 5',
  ]);
});
