/**
 * Goal: what we encode is what a protobuf library reads, also when series, symbols and metadata are used again.
 * Method: protobufjs decodes every request; one property over random series and values.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Labels, sortLabels } from '#model/labels.ts';
import { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import {
  type HistogramSide,
  type HistogramValue,
  writeExemplarField,
  writeHistogramField,
  writeHistogramValue,
  writeSampleField,
} from '#wire/remote-write/record-fields.ts';
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
  expect(encoder.labels(b)).toEqual([
    ['__name__', 'b'],
    ['x', 'é\n"'],
  ]);
});

test('a series is found by equal labels only', () => {
  const encoder = new RequestEncoder();
  const id = encoder.addSeries(labels('a', { x: '1', y: '2' }));
  expect(encoder.findSeries(labels('a', { x: '1', y: '2' }))).toBe(id);
  expect(encoder.addSeries(labels('a', { x: '1', y: '2' }))).toBe(id);
  expect(encoder.findSeries(labels('a', { x: '1' }))).toBe(-1);
  expect(encoder.findSeries(labels('a', { x: '2', y: '1' }))).toBe(-1);
  expect(encoder.findSeries(labels('new'))).toBe(-1);
  expect(encoder.seriesCount).toBe(1);
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

test('passing symbols stand behind the others, and the next request does not have them', () => {
  const encoder = new RequestEncoder();
  const a = encoder.addSeries(labels('a'));
  const write = (trace: string): string[] => {
    const fields = new ByteWriter();
    writeSampleField(fields, 1, 1000, 0);
    const refs = ['trace_id', trace, 'a', trace].map((text) => encoder.passingSymbol(text));
    writeExemplarField(fields, refs, 2, 900);
    encoder.writeFields(a, noMetadata, fields);
    expect(encoder.hasPassingSymbols).toBe(true);
    const bytes = encoder.finish();
    expect(encoder.requestBytes).toBe(encoder.finish().length);
    return [...decodeRequest(bytes).symbols, ...renderRequest(bytes)];
  };
  for (const trace of ['x', 'y']) {
    const line = `a{} 1 @1000 # {trace_id="${trace}",a="${trace}"} 2 @900`;
    expect(write(trace)).toEqual(['', '__name__', 'a', 'trace_id', trace, line]);
  }
  encoder.passingSymbol('z');
  expect(() => encoder.addSeries(labels('new'))).toThrow('BUG');
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

test('histograms: integers and floats, custom buckets, gauges, the stale one', () => {
  const side = (offsets: number[], lengths: number[], counts: number[]): HistogramSide => ({
    ...{ offsets, lengths, counts, spanCount: offsets.length, bucketCount: counts.length },
  });
  const none = side([], [], []);
  const histogram: HistogramValue = {
    ...{ isFloat: false, count: 10, sum: -0.5, schema: -4, zeroThreshold: 0.5, zeroCount: 1, isGauge: false },
    ...{ negative: side([-2], [1], [4]), positive: side([1, 3], [2, 1], [3, 0, 2]), customValues: [] },
  };
  const render = (value: HistogramValue): string[] => {
    const encoder = new RequestEncoder();
    const [payload, fields] = [new ByteWriter(), new ByteWriter()];
    writeHistogramValue(payload, value);
    writeHistogramField(fields, payload.written(), 1000, 500);
    encoder.writeFields(encoder.addSeries(labels('h')), noMetadata, fields);
    return renderRequest(encoder.finish());
  };
  expect(render(histogram)).toEqual([
    'h{} {count:10 sum:-0.5 schema:-4 zero:1@0.5 pos:[1:3,0 3:2] neg:[-2:4]} @1000 since 500',
  ]);
  expect(render({ ...histogram, isFloat: true, isGauge: true, count: 10.5 })).toEqual([
    'h{} {count:10.5f sum:-0.5 schema:-4 zero:1@0.5 pos:[1:3,0 3:2] neg:[-2:4] gauge} @1000 since 500',
  ]);
  const custom = { ...histogram, schema: -53, zeroThreshold: 0, zeroCount: 0, negative: none };
  expect(render({ ...custom, customValues: [0.5, 1, 2.5] })).toEqual([
    'h{} {count:10 sum:-0.5 schema:-53 zero:0@0 pos:[1:3,0 3:2] neg:[] custom:[0.5,1,2.5]} @1000 since 500',
  ]);
  const large = { ...custom, positive: side([0], [200], new Array(200).fill(2 ** 40)) };
  expect(render(large)[0]).toContain(`[0:${new Array(200).fill(2 ** 40)}]`);
});
