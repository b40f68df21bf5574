/**
 * Goal: what a part sends is what a protobuf library reads, whether it lies ready or comes behind.
 * Method: protobufjs decodes every request; one property over random labels, values and times.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TextEncoding } from '#agent/scrape/label-texts.ts';
import { RequestPart } from '#agent/scrape/request-part.ts';
import { type Labels, sortLabels } from '#model/labels.ts';
import { decodeRequest, renderRequest } from '#test/wire/remote-write/request-text.ts';
import { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import {
  type HistogramSide,
  type HistogramValue,
  writeExemplarField,
  writeHistogramField,
  writeHistogramValue,
  writeSampleField,
} from '#wire/remote-write/record-fields.ts';
import { noMetadata } from '#wire/remote-write/request-encoder.ts';

const labels = (name: string): Labels => [['__name__', name]];
const encoding = new TextEncoding();
const add = (part: RequestPart, of: Labels): number => part.addSeries(encoding.labels(of), noMetadata);

test('whatever the labels, values and times, the library reads back what was written', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
  const series = fc
    .dictionary(text, text, { minKeys: 1, maxKeys: 20 })
    .map((pairs) => sortLabels(Object.entries(pairs)));
  const sample = fc.record({
    value: fc.double({ noNaN: true }),
    timeMs: fc.nat(2 ** 45),
    isWritten: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(series, { minLength: 1, maxLength: 12 }),
      fc.array(sample, { maxLength: 40 }),
      (all, samples) => {
        const part = new RequestPart(0);
        for (const one of all) add(part, one);
        all.forEach((one, number) => {
          expect(part.labels(number)).toEqual(one);
          expect(part.hasLabels(number, encoding.labels(one))).toBe(true);
          expect(part.hasLabels(number, encoding.labels([...one, ['\uffff', 'x']]))).toBe(false);
        });
        for (const round of [1, 2]) {
          part.beginRun((samples[0]?.timeMs ?? 0) * round);
          const written = samples.filter(({ isWritten }) => isWritten || round === 2);
          for (const [i, { value, timeMs }] of written.entries()) {
            part.writeSample(i % all.length, value, timeMs * round, 0);
          }
          const bytesMax = part.requestBytes;
          const bytes = part.finish();
          expect(bytes.length).toBeLessThanOrEqual(bytesMax);
          const { symbols, timeseries } = decodeRequest(bytes);
          expect(new Set(symbols).size).toBe(symbols.length);
          const read = timeseries.map(({ labelsRefs, samples: [own] }) => {
            const value = new Float64Array(BigUint64Array.of(BigInt(own!.value)).buffer)[0];
            return JSON.stringify([labelsRefs.map((ref) => symbols[ref]), value, own!.timestamp]);
          });
          const sent = written.map(({ value, timeMs }, i) =>
            JSON.stringify([all[i % all.length]!.flat(), value, String(timeMs * round)]),
          );
          expect(read.sort()).toEqual(sent.sort());
          if (round === 1) part.seal();
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('passing symbols stand behind the others, and the next request does not have them', () => {
  const part = new RequestPart(0);
  const a = add(part, labels('a'));
  const write = (trace: string): string[] => {
    const fields = new ByteWriter();
    writeSampleField(fields, 1, 1000, 0);
    const refs = ['trace_id', trace, 'a', trace].map((text) => part.passingSymbol(text));
    writeExemplarField(fields, refs, 2, 900);
    part.writeFields(a, fields);
    expect(part.hasPassingSymbols).toBe(true);
    const bytes = part.finish();
    expect(part.requestBytes).toBe(part.finish().length);
    return [...decodeRequest(bytes).symbols, ...renderRequest(bytes)];
  };
  for (const trace of ['x', 'y']) {
    const line = `a{} 1 @1000 # {trace_id="${trace}",a="${trace}"} 2 @900`;
    expect(write(trace)).toEqual(['', '__name__', 'a', 'trace_id', trace, line]);
  }
  part.passingSymbol('z');
  expect(() => add(part, labels('new'))).toThrow('BUG');
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
    const part = new RequestPart(0);
    const [payload, fields] = [new ByteWriter(), new ByteWriter()];
    writeHistogramValue(payload, value);
    writeHistogramField(fields, payload.written(), 1000, 500);
    part.writeFields(add(part, labels('h')), fields);
    return renderRequest(part.finish());
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
