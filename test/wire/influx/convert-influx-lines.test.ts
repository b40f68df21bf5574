/**
 * Goal: lines become the samples that Telegraf's users look for; a line that is wrong costs itself only.
 * Method: protobufjs reads the remote write request back as `name{labels} value @ms`; a table of lines; damage by
 * fast-check.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { InfluxParameters } from '#wire/conversion/conversion.ts';
import { convertInfluxLines } from '#wire/influx/convert-influx-lines.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';

const nowUnixMs = 1_800_000_000_000;

function convert(text: string | Uint8Array, influx?: Partial<InfluxParameters>, bytesMax = 1e6) {
  return convertInfluxLines({
    format: 'influx_lines',
    bytes: Buffer.from(text as string),
    nowUnixNano: BigInt(nowUnixMs) * 1_000_000n,
    bytesMax,
    influx: { precision: 'ns', database: '', ...influx },
  });
}

interface Series {
  readonly labelsRefs: readonly number[];
  /** protobufjs leaves zeros out. */
  readonly samples: readonly { readonly value?: number; readonly timestamp?: string }[];
}

function samples(bytes: Uint8Array): string[] {
  checkStructure('remote_write', bytes);
  const { symbols, timeseries } = decodeRemoteWrite2(bytes) as { symbols: string[]; timeseries: Series[] };
  return timeseries.flatMap((series) => {
    const texts = series.labelsRefs.map((ref) => symbols[ref]!);
    const labels = texts.flatMap((text, i) => (i % 2 === 0 ? [`${text}=${texts[i + 1]}`] : []));
    const name = labels.find((label) => label.startsWith('__name__='))!.slice('__name__='.length);
    const rest = labels.filter((label) => !label.startsWith('__name__=')).join(',');
    return series.samples.map(({ value = 0, timestamp = '0' }) => `${name}{${rest}} ${value} @${timestamp}`);
  });
}

test.each<[string, string[]]>([
  ['cpu usage=0.5 1700000000123456789', ['cpu_usage{} 0.5 @1700000000123']],
  [
    'cpu,host=a,cpu=0 usage=1,idle=2 5000000',
    ['cpu_usage{cpu=0,host=a} 1 @5', 'cpu_idle{cpu=0,host=a} 2 @5'],
  ],
  ['level,b=2,a=1 value=7 5000000', ['level{a=1,b=2} 7 @5']],
  [
    'm i=-3i,u=18446744073709551615u,e=1.5e-3,d=1.,p=+.5 0',
    ['m_i{} -3 @0', 'm_u{} 18446744073709552000 @0', 'm_e{} 0.0015 @0', 'm_d{} 1 @0', 'm_p{} 0.5 @0'],
  ],
  [
    'm a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE 0',
    [...'abcde'].map((f) => `m_${f}{} 1 @0`).concat([...'fghij'].map((f) => `m_${f}{} 0 @0`)),
  ],
  [`m a=1`, [`m_a{} 1 @${nowUnixMs}`]],
  ['m a=1 -1700000000123456789', ['m_a{} 1 @-1700000000123']],
  ['m a=1 999999', ['m_a{} 1 @0']],
  ['my\\ m\\,x,ta\\ g=v\\,\\ a\\=l fi\\ \\=eld=1 0', ['my_m_x_fi__eld{ta_g=v, a=l} 1 @0']],
  ['m,path=C:\\dir\\ a=1 0', []],
  ['1m,1t=x 1f=2 0', ['_1m_1f{_1t=x} 2 @0']],
  ['m,a=x=y f=1 0', ['m_f{a=x=y} 1 @0']],
  ['# a comment\n\n  \r\nm a=1 0\r\nm a=2 1000000\n', ['m_a{} 1 @0', 'm_a{} 2 @1']],
  ['m t="text, with \\" quote\nand = newline",a=1 0\nm a=2 0', ['m_a{} 1 @0', 'm_a{} 2 @0']],
  ['m   a=1   0  ', ['m_a{} 1 @0']],
  ['größe,stadt=Köln wert=1 0', ['gr__e_wert{stadt=Köln} 1 @0']],
  ['', []],
])('%j', (text, expected) => {
  const { bytes, rejections } = convert(text);
  expect(samples(bytes)).toEqual(expected);
  expect(rejections.length).toBe(expected.length === 0 && text !== '' ? 1 : 0);
});

test.each<[InfluxParameters['precision'], string, number]>([
  ['ns', '1700000000123999999', 1_700_000_000_123],
  ['us', '1700000000123999', 1_700_000_000_123],
  ['ms', '1700000000123', 1_700_000_000_123],
  ['s', '1700000000', 1_700_000_000_000],
  ['m', '28333333', 1_699_999_980_000],
  ['h', '472222', 1_699_999_200_000],
])('precision %s', (precision, time, unixMs) =>
  expect(samples(convert(`m a=1 ${time}`, { precision }).bytes)).toEqual([`m_a{} 1 @${unixMs}`]),
);

test('the database is the label db, unless a tag is', () => {
  const { bytes } = convert('m,db=own a=1 0\nm a=1 0', { database: 'telegraf' });
  expect(samples(bytes)).toEqual(['m_a{db=own} 1 @0', 'm_a{db=telegraf} 1 @0']);
});

test('text is counted as ignored, and a clocked line is told', () => {
  expect(convert('m a="x",b="y",c=1 0\nm a="z" 0')).toMatchObject({
    ignored: 3,
    rejections: [],
    isClocked: false,
  });
  expect(convert('m a=1 0\nm a=1').isClocked).toBe(true);
});

test.each([
  ['m', 'missing fields'],
  ['m,a=b', 'missing fields'],
  ['m ', 'missing fields'],
  ['m a', 'missing field value'],
  ['m a=', 'missing field value'],
  ['m =1', 'missing field key'],
  ['m a=1,', 'missing fields'],
  ['m a=1,b', 'missing field value'],
  ['m a=abc', 'invalid value of field "a"'],
  ['m a=1x', 'invalid value of field "a"'],
  ['m a=NaN', 'invalid value of field "a"'],
  ['m a=1e999', 'invalid value of field "a"'],
  ['m a="x', 'unbalanced quotes'],
  ['m a="x"y', 'something follows the value of field "a"'],
  ['m a=1 now', 'bad timestamp'],
  ['m a=1 1.5', 'bad timestamp'],
  ['m a=1 -', 'bad timestamp'],
  ['m a=1 5 6', 'something follows the timestamp'],
])('%j is refused: %s', (text, fault) => {
  const { bytes, rejections } = convert(`ok a=1 0\n# comment\n${text}`);
  expect(samples(bytes)).toEqual(['ok_a{} 1 @0']);
  expect(rejections).toEqual([
    { reason: 'line', count: 1, message: `line 3: unable to parse '${text.trimEnd()}': ${fault}` },
  ]);
});

test.each([
  [',a=b c=1 0', 'line 1: missing measurement'],
  ['m,=b c=1 0', 'line 1: missing tag key'],
  ['m,a= c=1 0', 'line 1: missing tag value'],
  ['m,a c=1 0', 'line 1: missing tag value'],
  ['m,a-b=1,a.b=2 c=1 0', 'line 1: two tags are the label "a_b"'],
  ['m,__name__=x c=1 0', 'line 1: two tags are the label "__name__"'],
  [`m,${Array.from({ length: 257 }, (_, i) => `t${i}=x`).join(',')} c=1 0`, 'line 1: more than 256 tags'],
  ['m c=1 99999999999999999999999', 'line 1: time outside of what can be stored'],
])('%.40s is refused', (text, message) => {
  const { bytes, rejections } = convert(text);
  expect(samples(bytes)).toEqual([]);
  expect(rejections).toEqual([{ reason: 'line', count: 1, message }]);
});

test('a quote that does not end costs its own line only', () => {
  const { bytes, rejections } = convert('m a="x\nm b=2 0\nbad\n');
  expect(samples(bytes)).toEqual(['m_b{} 2 @0']);
  expect(rejections).toEqual([
    { reason: 'line', count: 2, message: `line 1: unable to parse 'm a="x': unbalanced quotes` },
  ]);
});

test('what a fault repeats is short', () => {
  const long = 'x'.repeat(10_000);
  for (const line of [`${long} `, `m ${long}=y 0`, `m,${long}=1,${long}=2 a=1 0`]) {
    expect(convert(line).rejections[0]!.message.length).toBeLessThan(600);
  }
});

test('many faults are one rejection with their number and the first', () => {
  const { rejections } = convert('m a=1 0\nx\ny\nm "\n');
  expect(rejections).toEqual([
    { reason: 'line', count: 3, message: "line 2: unable to parse 'x': missing fields" },
  ]);
});

test('tags times fields cannot make more than the limit', () => {
  const tags = Array.from({ length: 200 }, (_, i) => `t${i}=${i}`).join(',');
  const fields = Array.from({ length: 5000 }, (_, i) => `f${i}=1`).join(',');
  expect(() => convert(`m,${tags} ${fields} 0`, {}, 100_000)).toThrow('takes more than 100000 bytes');
  expect(convert(`m,${tags} f=1 0`, {}, 100_000).rejections).toEqual([]);
});

test('more series than are kept at hand are all there, and the first is the same again', () => {
  const lines = Array.from({ length: 10_001 }, (_, i) => `m,a=${i} b=${i} 1000000`);
  const read = samples(convert([...lines, 'm,a=0 b=5 2000000'].join('\n')).bytes);
  expect(read).toHaveLength(10_002);
  expect(new Set(read).size).toBe(10_002);
  expect([read[0], read.at(-1)]).toEqual(['m_b{a=0} 0 @1', 'm_b{a=0} 5 @2']);
});

test('bytes that are not UTF-8 are refused', () => {
  expect(() => convert(Buffer.from([0x6d, 0xff]))).toThrow(new RefusedError('the lines are not valid UTF-8'));
});

test('lines cut off or damaged anywhere are read, counted or refused', () => {
  const whole = Buffer.from('cpu,host=a\\ b usage=0.5,t="x\\"y\nz",n=4i 1700000000000000000\nm,a=b v=t 5\n');
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(127)), { maxLength: 6 });
  fc.assert(
    fc.property(damage, fc.nat(whole.length), (changes, cut) => {
      const bytes = Buffer.from(whole);
      for (const [at, byte] of changes) bytes[at] = byte;
      samples(convert(bytes.subarray(0, cut)).bytes);
    }),
    { numRuns: 3000 },
  );
});
