/**
 * Goal: a run survives whatever its requests hold: a request is stored whole or not at all, and its neighbours never
 * notice. Announcements of series follow what is really in the blocks.
 * Method: every truncation and a bounded number of seeded mutations of small requests, between two good ones; the
 * good ones' blocks must be the same as without the bad one.
 */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { RunRequest, TranscodeResult, TranscodeTask } from '#collector/run.ts';
import { createTranscoder, Transcoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { collidingLogs, expandingLogs } from '../../support/crowding-requests.ts';
import { Lcg } from '../../support/lcg.ts';
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '../../support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';
import {
  generatorUnixMs,
  logsRequest,
  metricsRequest,
  remoteWrite1Request,
  remoteWrite2Request,
  traceRequest,
} from '../../support/otlp-generator.ts';

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;
const task = (requests: readonly RunRequest[], seriesEpoch = 0): TranscodeTask => ({
  requests,
  nowUnixMs,
  oldestUnixMs: 0,
  seriesEpoch,
});

/** Keeps the whole file within seconds. */
const mutationCount = 600;

/** One small request of each kind; the seeds give requests that hold something. */
const kinds = [
  {
    name: 'logs',
    signal: 'logs',
    make: (random: Lcg) => encodeLogsRequest(logsRequest(random, 2, 3)),
    seed: 5,
  },
  {
    name: 'traces',
    signal: 'traces',
    make: (random: Lcg) => encodeTraceRequest(traceRequest(random, 2, 2)),
    seed: 9,
  },
  {
    name: 'metrics',
    signal: 'metrics',
    make: (random: Lcg) => encodeMetricsRequest(metricsRequest(random, 2, 2)),
    seed: 6,
  },
  {
    name: 'remote write 1.0',
    signal: 'remote_write',
    make: (random: Lcg) => encodeRemoteWrite1(remoteWrite1Request(random, 4)),
    seed: 5,
  },
  {
    name: 'remote write 2.0',
    signal: 'remote_write',
    make: (random: Lcg) => encodeRemoteWrite2(remoteWrite2Request(random, 4)),
    seed: 5,
  },
] as const;

/** Makes a request that has at least one accepted record. */
function bytesOf({ make, seed, signal }: (typeof kinds)[number]): Uint8Array<ArrayBuffer> {
  const random = new Lcg(seed);
  for (;;) {
    const bytes = new Uint8Array(make(random));
    const { outcomes } = createTranscoder()(task([{ signal, tenant: 't', bytes }]));
    if (bytes.length > 150 && bytes.length < 1500 && outcomes[0]!.accepted > 0) return bytes;
  }
}

/** Rows of each table and a digest of the block, dictionaries included. */
function summary({ blocks }: TranscodeResult): string[] {
  return blocks.map(
    ({ table, rowCount, parts }) =>
      `${table} ${rowCount} ${createHash('sha256').update(Buffer.concat(parts)).digest('hex')}`,
  );
}

function rowCounts({ blocks }: TranscodeResult): Record<string, number> {
  return Object.fromEntries(blocks.map(({ table, rowCount }) => [table, rowCount]));
}

test.each(kinds)(
  '$name cut at any byte is a decode error or a shorter request, and its neighbours stay',
  (kind) => {
    const whole = bytesOf(kind);
    const good: RunRequest = { signal: kind.signal, tenant: 'good', bytes: whole };
    const alone = createTranscoder()(task([good, good]));
    let errorCount = 0;
    for (let length = 0; length < whole.length; length++) {
      const cut = { signal: kind.signal, tenant: 'cut', bytes: whole.slice(0, length) };
      const result = createTranscoder()(task([good, cut, good]));
      const outcome = result.outcomes[1]!;
      expect([result.outcomes[0], result.outcomes[2]]).toEqual(alone.outcomes);
      if (outcome.decodeError === undefined) continue;
      errorCount++;
      expect(outcome).toMatchObject({ accepted: 0, rejections: [] });
      expect(outcome.decodeError).toMatch(/^malformed .* at byte \d+/);
      expect(rowCounts(result)).toEqual(rowCounts(alone));
    }
    expect(errorCount).toBeGreaterThan(whole.length / 2);
  },
);

test.each(kinds)('$name with random bytes changed never throws, and its neighbours stay', (kind) => {
  const whole = bytesOf(kind);
  const random = new Lcg(77);
  const transcode = createTranscoder();
  const good: RunRequest = { signal: kind.signal, tenant: 'good', bytes: whole };
  const alone = createTranscoder()(task([good]));
  for (let round = 0; round < mutationCount; round++) {
    const bytes = whole.slice();
    for (let i = random.int(4); i >= 0; i--) bytes[random.int(bytes.length)] = random.int(256);
    const result = transcode(task([{ signal: kind.signal, tenant: 'bad', bytes }, good], round));
    expect(result.outcomes[1]).toEqual(alone.outcomes[0]);
    for (const block of result.blocks) expect(block.rowCount).toBeGreaterThan(0);
  }
});

test.each(kinds)('$name that is rolled back leaves an empty block as if it had never come', (kind) => {
  const whole = bytesOf(kind);
  const good: RunRequest = { signal: kind.signal, tenant: 'good', bytes: whole };
  // The same request, then a field that is cut off: everything is read, and then taken back.
  const bad: RunRequest = {
    signal: kind.signal,
    tenant: 'good',
    bytes: Uint8Array.from([...whole, 0x32, 0x05]),
  };
  const alone = createTranscoder()(task([good]));
  const result = createTranscoder()(task([bad, good]));
  expect(result.outcomes[0]!.decodeError).toContain('has length 5, but its message ends after 0 bytes');
  expect(result.outcomes[1]).toEqual(alone.outcomes[0]);
  expect(summary(result)).toEqual(summary(alone));
});

test.each(kinds)(
  '$name that is rolled back between others leaves equal blocks, with equal dictionaries',
  (kind) => {
    const random = new Lcg(91);
    const make = (tenant: string, tail: readonly number[] = []): RunRequest => ({
      signal: kind.signal,
      tenant,
      bytes: Uint8Array.from([...kind.make(random), ...tail]),
    });
    for (let round = 0; round < 30; round++) {
      const good = Array.from({ length: 6 }, () => make('good'));
      const bad = Array.from({ length: 20 }, (_, index) => make(`bad ${index}`, [0x32, 0x05]));
      const result = createTranscoder()(task([...good.slice(0, 3), ...bad, ...good.slice(3)]));
      const outcomes = [...result.outcomes.slice(0, 3), ...result.outcomes.slice(-3)];
      const alone = createTranscoder()(task(good));
      expect(result.outcomes.filter(({ decodeError }) => decodeError !== undefined)).toHaveLength(bad.length);
      expect(outcomes).toEqual(alone.outcomes);
      expect(summary(result)).toEqual(summary(alone));
    }
  },
);

test('a key that was rolled back is not taken for known where it comes again at once', () => {
  const logs = (key: string, tail: readonly number[] = []): RunRequest => {
    const attributes = [{ key, value: { stringValue: 'v' } }];
    const logRecords = [{ timeUnixNano: `${nowUnixMs}000000`, severityText: key, attributes }];
    const bytes = encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
    return { signal: 'logs', tenant: 'a', bytes: Uint8Array.from([...bytes, ...tail]) };
  };
  const samples = (metric: string, tail: readonly number[] = []): RunRequest => {
    const series = { labels: [{ name: '__name__', value: metric }], samples: [{ value: 1, timestamp: 1e9 }] };
    return write('a', Uint8Array.from([...encodeRemoteWrite1({ timeseries: [series] }), ...tail]));
  };
  for (const make of [logs, samples]) {
    const alone = createTranscoder()(task([make('known'), make('fresh')]));
    // A group (of records, of samples) whose first field is cut off: it is met when all before it was written.
    const bad = make('fresh', [0x0a, 0x02, 0x0a, 0x05]);
    const result = createTranscoder()(task([make('known'), bad, make('fresh')]));
    expect(result.outcomes[1]!.decodeError).toContain('has length 5');
    expect(summary(result)).toEqual(summary(alone));
  }
});

test('undecodable requests do not fill the blocks, whether others are in them or not', () => {
  const logs = (bytes: Uint8Array): RunRequest => ({ signal: 'logs', tenant: 'a', bytes });
  const value = 'v'.repeat(100_000);
  const spoiltLogs = (name: string) => {
    const attributes = Array.from({ length: 300 }, (_, index) => ({
      key: `${name}-${index}`,
      value: { stringValue: `${index}` },
    }));
    attributes.push({ key: 'large', value: { stringValue: `${name}${value}` } });
    const logRecords = [{ timeUnixNano: `${nowUnixMs}000000`, severityText: name, attributes }];
    const bytes = encodeLogsRequest({
      resourceLogs: [{ resource: { attributes }, scopeLogs: [{ scope: { name }, logRecords }] }],
    });
    return logs(Uint8Array.from([...bytes, 0x32, 0x05]));
  };
  const { requests: _, ...context } = task([]);
  const transcoder = new Transcoder(transcoderOptionsDefault);
  const bytesAfter = (requests: readonly RunRequest[]) => transcoder.append(requests, context).blockBytes;
  const bad = ['x', 'y', 'z'].map(spoiltLogs);
  const empty = bytesAfter([]);
  expect(bytesAfter(bad)).toBe(empty);
  const one = bytesAfter([logs(bytesOf(kinds[0]))]);
  expect(one).toBeGreaterThan(empty);
  expect(bytesAfter(bad)).toBe(one);
});

test('a request that does not fit beside others comes back with its bytes, and is judged alone', () => {
  const logs = (bytes: Uint8Array): RunRequest => ({ signal: 'logs', tenant: 'a', bytes });
  const { requests: _, ...context } = task([]);
  const transcoder = new Transcoder(transcoderOptionsDefault);
  const second = logs(collidingLogs(1, 'second', nowUnixMs));
  const huge = logs(expandingLogs());
  const append = (requests: readonly RunRequest[]) => transcoder.append(requests, context).outcomes;
  const together = append([logs(collidingLogs(0, 'first', nowUnixMs)), second, huge]);
  expect(together.map(({ accepted }) => accepted)).toEqual([1, 0, 0]);
  expect(together.map(({ misfit }) => misfit?.bytes)).toEqual([undefined, second.bytes, huge.bytes]);
  expect(transcoder.requests('logs')).toHaveLength(1);
  transcoder.take('logs');
  expect(append([second])).toMatchObject([{ accepted: 1, decodeError: undefined }]);
  transcoder.take('logs');
  const [alone] = append([huge]);
  expect(alone!.decodeError).toContain('expands to more than');
  expect(alone!.misfit).toBeUndefined();
});

test('times of more partitions than one insert can write are refused, and fewer beside others come back', () => {
  const dayMs = 86_400_000;
  const days = (first: number, count: number): RunRequest => ({
    signal: 'logs',
    tenant: 'a',
    bytes: encodeLogsRequest({
      resourceLogs: [
        {
          scopeLogs: [
            {
              logRecords: Array.from({ length: count }, (_, index) => ({
                timeUnixNano: `${nowUnixMs - (first + index) * dayMs}000000`,
              })),
            },
          ],
        },
      ],
    }),
  });
  const { requests: _, ...context } = task([]);
  const transcoder = new Transcoder(transcoderOptionsDefault);
  const append = (...requests: RunRequest[]) => transcoder.append(requests, context).outcomes;
  expect(append(days(0, 1001))).toMatchObject([
    { accepted: 0, decodeError: expect.stringContaining('more than 1000 partitions of logs') },
  ]);
  const [first, same, more] = append(days(0, 600), days(0, 600), days(600, 600));
  expect([first, same].map((outcome) => outcome?.accepted)).toEqual([600, 600]);
  expect(more).toMatchObject({ accepted: 0, misfit: { bytes: expect.any(Uint8Array) } });
  transcoder.take('logs');
  expect(append(days(600, 600))).toMatchObject([{ accepted: 600 }]);
});

test('the same task twice gives the same bytes, and all but series and metadata come again', () => {
  const requests = kinds.map(
    (kind): RunRequest => ({ signal: kind.signal, tenant: 'a', bytes: bytesOf(kind) }),
  );
  const transcode = createTranscoder();
  const first = transcode(task(requests));
  expect(first.blocks.map(({ table }) => table)).toEqual([
    'metric_metadata',
    'series',
    'sample_starts',
    'samples_head',
    'histograms_head',
    'exemplars',
    'trace_index',
    'spans',
    'logs',
  ]);
  expect(summary(createTranscoder()(task(requests)))).toEqual(summary(first));
  const again = transcode(task(requests));
  expect(summary(again)).toEqual(summary(first).slice(2));
});

test('a new epoch announces all series and metadata again', () => {
  const requests = kinds.map(
    (kind): RunRequest => ({ signal: kind.signal, tenant: 'a', bytes: bytesOf(kind) }),
  );
  const transcode = createTranscoder();
  const first = transcode(task(requests, 1));
  expect(summary(transcode(task(requests, 2)))).toEqual(summary(first));
});

const up = (timestamp: number) =>
  encodeRemoteWrite1({
    timeseries: [{ labels: [{ name: '__name__', value: 'up' }], samples: [{ value: 1, timestamp }] }],
  });
const write = (tenant: string, bytes: Uint8Array): RunRequest => ({ signal: 'remote_write', tenant, bytes });
const hour = 3_600_000;
/** A good series, and after it one whose label is cut off: the fault is met when the first is already announced. */
const spoilt = (timestamp: number) => Uint8Array.from([...up(timestamp), 0x0a, 0x02, 0x0a, 0x05]);

test('a series is announced once per tenant and two-hour bucket', () => {
  const transcode = createTranscoder();
  const seriesRows = (tenant: string, timestamp: number) =>
    rowCounts(transcode(task([write(tenant, up(timestamp))]))).series ?? 0;
  expect(seriesRows('a', 10 * hour)).toBe(1);
  expect(seriesRows('a', 10 * hour + 5)).toBe(0);
  expect(seriesRows('b', 10 * hour)).toBe(1);
  expect(seriesRows('a', 12 * hour)).toBe(1);
  expect(seriesRows('a', 12 * hour - 1)).toBe(0);
  expect(seriesRows('a', 2 * hour)).toBe(1);
  expect(seriesRows('a', 6 * hour)).toBe(0);
});

test('a series that only a refused request announced is announced by the next one', () => {
  const transcode = createTranscoder();
  const cut = spoilt(10 * hour);
  expect(rowCounts(transcode(task([write('a', cut)])))).toEqual({});
  expect(rowCounts(transcode(task([write('a', up(10 * hour))])))).toEqual({ series: 1, samples_head: 1 });
});

test.each([12, 2])(
  'bucket %d h that only a refused request announced is announced by the next one',
  (hours) => {
    const transcode = createTranscoder();
    transcode(task([write('a', up(10 * hour))]));
    transcode(task([write('a', spoilt(hours * hour))]));
    expect(rowCounts(transcode(task([write('a', up(hours * hour))])))).toEqual({
      series: 1,
      samples_head: 1,
    });
  },
);

test('values nested beyond the limit are refused, not overflowed', () => {
  // Enough for the lengths that occur here: two bytes.
  const message = (tag: number, bytes: number[]) => [
    tag,
    (bytes.length & 0x7f) | 0x80,
    bytes.length >> 7,
    ...bytes,
  ];
  const nested = (depth: number): number[] =>
    depth === 0 ? [0x18, 1] : message(0x2a, message(0x0a, nested(depth - 1)));
  const decode = (depth: number) => {
    const bytes = Uint8Array.from(message(0x0a, message(0x12, message(0x12, message(0x2a, nested(depth))))));
    return createTranscoder()(task([{ signal: 'logs', tenant: 'a', bytes }])).outcomes[0]!.decodeError;
  };
  expect(decode(50)).toBeUndefined();
  expect(decode(51)).toContain('a value is nested deeper than 50 levels');
});

test('a request that would expand beyond all bounds is refused', () => {
  // Resource { attributes { } * 20000 } beside 20000 empty records: 80 KB that would become 800 million map entries.
  const count = 20_000;
  const repeated = (tag: number) => Array.from({ length: count }, () => [tag, 0]).flat();
  const varint = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
  const message = (tag: number, bytes: number[]) => [tag, ...varint(bytes.length), ...bytes];
  const group = [...message(0x0a, repeated(0x0a)), ...message(0x12, repeated(0x12))];
  const bytes = Uint8Array.from(message(0x0a, group.concat(group)));
  const good = bytesOf(kinds[0]);
  const { outcomes, blocks } = createTranscoder()(
    task([
      { signal: 'logs', tenant: 'a', bytes },
      { signal: 'logs', tenant: 'a', bytes: good },
    ]),
  );
  expect(outcomes[0]!.decodeError).toContain('expands to more than');
  expect(outcomes[1]!.accepted).toBeGreaterThan(0);
  expect(blocks.map(({ rowCount }) => rowCount)).toEqual([outcomes[1]!.accepted]);
});

test('a help text beyond the limit is cut between characters', () => {
  const help = `${'x'.repeat(4095)}ü and more`;
  const bytes = encodeRemoteWrite1({ metadata: [{ type: 1, metricFamilyName: 'm', help }] });
  const { blocks } = createTranscoder()(task([write('a', bytes)]));
  const text = Buffer.concat(blocks[0]!.parts).toString('utf8');
  expect(text).toContain('x'.repeat(4095));
  expect(text).not.toContain('ü');
  expect(text).not.toContain('\ufffdx');
});
