/**
 * Goal: metrics of logs say what Prometheus understands, in bounded series.
 * Method: lines through log_metric steps, and the remote write request that is sent when they stop.
 */
import { expect, test } from 'vitest';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { RecordingTransport } from '../logs/recording-transport.ts';
import { process, readEntries, startProcessors } from './processed-text.ts';

/** 'name{label="value",...} value' of each series that is sent, sorted; job and instance left out. */
async function seriesOf(yaml: string, lines: readonly string[], isSettled = true): Promise<string[]> {
  const transport = new RecordingTransport();
  transport.land = () => undefined;
  const processors = await startProcessors(yaml, { transport });
  for (const service of ['web', 'db']) {
    const { settle } = process(processors, lines.join('\n'), { 'service.name': service });
    if (isSettled) settle();
  }
  await processors.stop({ drainMs: 1000 });
  return transport.sent.flatMap(({ bytes }) => render(bytes)).sort();
}

function render(bytes: Uint8Array): string[] {
  const { symbols, timeseries } = decodeRemoteWrite2(bytes) as {
    symbols: string[];
    timeseries: { labelsRefs: number[]; samples: { value: number }[] }[];
  };
  return timeseries.map(({ labelsRefs, samples }) => {
    const pairs = labelsRefs.map((ref) => symbols[ref]!);
    let text = '';
    let name = '';
    for (let index = 0; index < pairs.length; index += 2) {
      if (pairs[index] === '__name__') name = pairs[index + 1]!;
      else if (!['job', 'instance'].includes(pairs[index]!)) text += `${pairs[index]}=${pairs[index + 1]} `;
    }
    return `${name}{${text.trim()}} ${samples[0]!.value}`;
  });
}

test('a counter counts records that fit, by resource and group', async () => {
  const yaml =
    '- log_metric: { name: hits_total, pattern: "(?P<method>GET|PUT) /", severity: from info, labels: { service: { resource: service.name }, method: { group: method } } }';
  expect(
    await seriesOf(yaml, ['INFO GET /a', 'INFO GET /b', 'WARN PUT /c', 'DEBUG GET /d', 'INFO x']),
  ).toEqual([
    'hits_total{method=GET service=db} 2',
    'hits_total{method=GET service=web} 2',
    'hits_total{method=PUT service=db} 1',
    'hits_total{method=PUT service=web} 1',
  ]);
});

test('a counter with a value adds it up, and leaves out what is no number', async () => {
  const yaml = '- log_metric: { name: bytes_total, pattern: "sent (?P<n>[^ ]*)", value: n }';
  expect(await seriesOf(yaml, ['sent 10', 'sent 2.5', 'sent x', 'sent -1', 'sent '])).toEqual([
    'bytes_total{} 25',
  ]);
});

test('a histogram has cumulative buckets, a sum and a count', async () => {
  const yaml =
    '- log_metric: { name: ms, type: histogram, pattern: "in (?P<n>[0-9.]+)", value: n, buckets: [1, 10] }\n  when: { service.name: web }';
  expect(await seriesOf(yaml, ['in 0.5', 'in 1', 'in 7', 'in 70'])).toEqual([
    'ms_bucket{le=+Inf} 4',
    'ms_bucket{le=10} 3',
    'ms_bucket{le=1} 2',
    'ms_count{} 4',
    'ms_sum{} 78.5',
  ]);
});

test('label sets are bounded: what is beyond is one series', async () => {
  const yaml =
    '- log_metric: { name: u_total, pattern: "user (?P<u>[0-9]+)", labels: { u: { group: u } }, series_max: 2 }';
  expect(await seriesOf(yaml, ['user 1', 'user 2', 'user 3', 'user 4', 'user 1'])).toEqual([
    'u_total{u=1} 4',
    'u_total{u=2} 2',
    'u_total{u=other} 4',
  ]);
});

test('a range whose batch is not settled is not counted', async () => {
  expect(await seriesOf('- log_metric: { name: a_total, body: a }', ['a'], false)).toEqual([]);
});

test('two metrics of one name must be one', async () => {
  const yaml =
    '- log_metric: { name: a, body: x }\n- log_metric: { name: a, body: y, labels: { s: { attribute: s } } }';
  expect(readEntries(yaml)).toHaveLength(2);
  await expect(startProcessors(yaml)).rejects.toThrow(
    'agent.logs.processors at 1.log_metric: another log_metric is named a',
  );
});

test('samples say since when they count, so that a restart at 0 is no loss', async () => {
  const yaml = '- log_metric: { name: lines_total }';
  const starts: number[][] = [];
  const before = Date.now();
  for (let run = 0; run < 2; run++) {
    const transport = new RecordingTransport();
    transport.land = () => undefined;
    const processors = await startProcessors(yaml, { transport });
    process(processors, 'INFO a', { 'service.name': 'web' }).settle();
    // A later start is another millisecond.
    await new Promise((resolve) => setTimeout(resolve, 5));
    await processors.stop({ drainMs: 1000 });
    const { timeseries } = decodeRemoteWrite2(transport.sent[0]!.bytes) as {
      timeseries: { samples: { timestamp: number; startTimestamp: number }[] }[];
    };
    const [{ timestamp, startTimestamp }] = timeseries[0]!.samples as [
      { timestamp: number; startTimestamp: number },
    ];
    starts.push([Number(startTimestamp), Number(timestamp)]);
  }
  const [[first, firstSample], [second, secondSample]] = starts as [[number, number], [number, number]];
  expect(first).toBeGreaterThanOrEqual(before);
  expect(firstSample).toBeGreaterThanOrEqual(first);
  expect(second).toBeGreaterThanOrEqual(firstSample);
  expect(secondSample).toBeGreaterThanOrEqual(second);
});
