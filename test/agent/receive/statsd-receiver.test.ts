/**
 * Goal: lines over UDP and TCP are totals at the next station, and what is left out has a reason.
 * Method: real sockets against a sink that records, and can be told to wait; cuts of a stream as a property.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { LineFraming } from '#agent/receive/line-framing.ts';
import type { Receiver } from '#agent/receive/receiver.ts';
import { statsdOptions } from '#agent/receive/statsd-options.ts';
import { startStatsdReceiver } from '#agent/receive/statsd-receiver.ts';
import { eventually } from '#test/support/eventually.ts';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { LogSink, optionsOf } from './log-sink.ts';

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.stop(0);
  receiver = undefined;
});

async function start(options: object = {}) {
  const sink = new LogSink();
  const context = sink.context('statsd');
  receiver = await startStatsdReceiver(
    optionsOf(statsdOptions, {
      'statsd.udp_address': '127.0.0.1:0',
      'statsd.tcp_address': '127.0.0.1:0',
      'statsd.interval_ms': 20,
      ...options,
    }),
    context,
  );
  const udp = createSocket('udp4');
  return {
    sink,
    counts: context.counts,
    send: (text: string): void => udp.send(text, receiver!.addresses.udp!.port, '127.0.0.1'),
    tcp: receiver!.addresses.tcp!.port,
    [Symbol.dispose]: () => udp.close(),
  };
}

/** The last value of each series, by name; asserts the labels that all have. */
function lastValues(sink: LogSink): Record<string, number> {
  const values: Record<string, number> = {};
  for (const { bytes, signal } of sink.envelopes) {
    expect(signal).toBe('remote_write');
    const { symbols, timeseries } = decodeRemoteWrite2(bytes) as unknown as {
      symbols: string[];
      timeseries: { labelsRefs: number[]; samples: { value?: number }[] }[];
    };
    for (const { labelsRefs, samples } of timeseries) {
      const labels: Record<string, string> = {};
      for (let i = 0; i < labelsRefs.length; i += 2)
        labels[symbols[labelsRefs[i]!]!] = symbols[labelsRefs[i + 1]!]!;
      expect(labels).toMatchObject({ job: 'statsd', instance: 'node-1' });
      values[labels.__name__!] = samples[0]!.value ?? 0;
    }
  }
  return values;
}

test('packets of several lines, and a stream', async () => {
  using statsd = await start();
  statsd.send('hits:1|c\nhits:2|c\ntemperature:21.5|g\n');
  statsd.send('hits:1|c|@0.5');
  const socket = connect(statsd.tcp, '127.0.0.1');
  socket.end('hits:10|c\r\nhits:20|c');
  await once(socket, 'close');
  await eventually(() => lastValues(statsd.sink).hits === 35 && statsd.counts.received === 6);
  expect(lastValues(statsd.sink)).toEqual({ hits: 35, temperature: 21.5 });
  expect([...statsd.counts.dropped]).toEqual([]);
});

test('what is left out is counted by reason', async () => {
  using statsd = await start({ 'statsd.line_bytes_max': 20, 'statsd.series_max': 1 });
  statsd.send(['_sc|a|0', 'x:y|c', 'ok:1|c', 'other:1|c', `${'l'.repeat(30)}:1|c`].join('\n'));
  await eventually(() => statsd.counts.received === 5);
  expect([...statsd.counts.dropped]).toEqual([
    ['service_check', 1],
    ['value', 1],
    ['series_limit', 1],
    ['line_too_long', 1],
  ]);
});

test('while the next station takes nothing, totals wait and nothing is lost', async () => {
  using statsd = await start({ 'statsd.inflight_bytes_max': 1 });
  statsd.sink.block();
  statsd.send('hits:1|c');
  await eventually(() => (statsd.counts.dropped.get('interval_skipped') ?? 0) > 1);
  statsd.send('hits:1|c');
  await eventually(() => statsd.counts.received === 2);
  statsd.sink.unblock();
  await eventually(() => lastValues(statsd.sink).hits === 2);
});

test('stop sends the last totals', async () => {
  using statsd = await start({ 'statsd.interval_ms': 60_000 });
  statsd.send('hits:7|c');
  await eventually(() => statsd.counts.received === 1);
  await receiver!.stop(5000);
  expect(lastValues(statsd.sink)).toEqual({ hits: 7 });
});

test('no address, no receiver', async () => {
  const context = new LogSink().context('statsd');
  expect(await startStatsdReceiver(optionsOf(statsdOptions, {}), context)).toBeUndefined();
});

test('lines do not depend on cuts, and long ones keep their head', () => {
  const split = (chunks: readonly Buffer[], lineBytesMax: number): string[] => {
    const lines: string[] = [];
    const framing = new LineFraming(lineBytesMax, (bytes, from, to, isCut) =>
      lines.push(bytes.toString('latin1', from, to) + (isCut ? '~' : '')),
    );
    for (const chunk of chunks) framing.push(chunk);
    framing.end();
    return lines;
  };
  expect(split([Buffer.from('abcdef\nab\r\n\nabcd')], 4)).toEqual(['abcd~', 'ab', 'abcd']);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n') });
  fc.assert(
    fc.property(fc.array(text), (parts) => {
      const whole = parts.join('');
      expect(
        split(
          parts.map((part) => Buffer.from(part)),
          4,
        ),
      ).toEqual(
        whole
          .split('\n')
          .filter(Boolean)
          .map((line) => (line.length > 4 ? `${line.slice(0, 4)}~` : line)),
      );
    }),
  );
});
