/** What agents receive from senders that are no OpenTelemetry: what they make of it must be requests that are taken. */
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { DecodeError } from '#model/errors.ts';
import { writeFluentRecord } from '#wire/fluent/fluent-record.ts';
import { readForwardMessage } from '#wire/fluent/forward-message.ts';
import { MessageFraming } from '#wire/fluent/message-framing.ts';
import { MsgpackCursor } from '#wire/fluent/msgpack-cursor.ts';
import { LogBatch } from '#wire/otlp/log-batch.ts';
import { StatsdAggregator } from '#wire/statsd/statsd-aggregator.ts';
import { SyslogFraming } from '#wire/syslog/stream-framing.ts';
import { createSyslogMessage } from '#wire/syslog/syslog-message.ts';
import { parseSyslog } from '#wire/syslog/syslog-parser.ts';
import { writeSyslogRecord, writeSyslogResource } from '#wire/syslog/syslog-record.ts';
import { SyslogTime } from '#wire/syslog/syslog-time.ts';
import { WallClock } from '#wire/syslog/wall-clock.ts';
import type { Lcg } from '../support/lcg.ts';
import { generatorUnixMs } from '../support/otlp-generator.ts';
import { createChecked, type FuzzedDecoder } from './fuzzed-decoder.ts';

const syslogMessages = [
  '<34>1 2026-10-11T22:14:15.003Z host su 77 ID47 [a@1 x="1" y="q\\"]"][b] \uFEFFgrüße',
  '<13>Oct 11 22:14:15 host app[77]: hello',
  '<13>2026-10-11T22:14:15+02:00 app: hello',
  '<191>nothing of the kind',
];
const lines = (random: Lcg, texts: readonly string[]): string[] =>
  Array.from({ length: 1 + random.int(6) }, () => random.pick(texts));

const checkLogs = createChecked('logs');
const checkWrites = createChecked('remote_write');
const refused = (outcome: { decodeError?: unknown }): void => {
  if (outcome.decodeError !== undefined)
    throw new Error(`BUG: a request of ours is refused: ${outcome.decodeError}`);
};

function decodeSyslog(stream: Uint8Array): void {
  const batch = new LogBatch();
  const message = createSyslogMessage();
  const time = new SyslogTime(new WallClock('Europe/Berlin'));
  const framing = new SyslogFraming(200, (bytes, from, to) => {
    // As the receiver does: what is not UTF-8 is repaired before it is parsed.
    const text = Buffer.from(bytes.toString('utf8', from, to));
    parseSyslog(text, 0, text.length, generatorUnixMs, time, message);
    writeSyslogResource(batch.resource, text, message, Buffer.from('10.0.0.1'));
    const writer = batch.records();
    const start = writer.position;
    writeSyslogRecord(writer, text, message, { low: 1, high: 1 });
    batch.added(writer.position - start);
  });
  framing.push(Buffer.from(stream));
  framing.end();
  refused(checkLogs(batch.finish()));
}

const record = {
  log: 'hi\n',
  n: 1.5,
  list: [1, { deep: [null, true] }],
  big: 2n ** 63n,
  bytes: Uint8Array.of(255),
};
const fluentMessages = (random: Lcg): Uint8Array => {
  const entries = Array.from({ length: 1 + random.int(3) }, (_, i) => [generatorUnixMs / 1000 + i, record]);
  const packed = Buffer.concat(entries.map((entry) => encode(entry, { useBigInt64: true })));
  return Buffer.concat(
    [
      ['tag', 1_700_000_000, record, { chunk: 'a' }],
      ['tag', entries],
      ['tag', packed, { chunk: 'b', size: entries.length }],
      ['tag', gzipSync(packed), { compressed: 'gzip' }],
    ].map((message) => encode(message, { useBigInt64: true })),
  );
};

function decodeFluent(stream: Uint8Array): void {
  const batch = new LogBatch();
  const cursor = new MsgpackCursor();
  const framing = new MessageFraming(16 * 1024, (bytes, from, to) => {
    cursor.begin(bytes, from, to);
    const message = readForwardMessage(cursor, 64 * 1024);
    if (message === undefined) return;
    cursor.begin(message.bytes, message.from, message.to);
    for (let i = 0; message.count < 0 ? cursor.position < message.to : i < message.count; i++) {
      if (message.mode !== 'message' && (cursor.read() !== 'array' || cursor.count !== 2)) return;
      const writer = batch.records();
      const start = writer.position;
      const tag = Buffer.from(message.tag.toString());
      writeFluentRecord(writer, cursor, tag, [Buffer.from('log')], { repaired: 0, keysLost: 0 });
      batch.added(writer.position - start);
    }
  });
  try {
    framing.push(Buffer.from(stream));
  } finally {
    refused(checkLogs(batch.finish()));
  }
}

function decodeStatsd(text: Uint8Array): void {
  const aggregator = new StatsdAggregator({
    seriesMax: 50,
    staleMs: 1000,
    buckets: [1, 2],
    setMembersMax: 3,
    requestBytesMax: 500,
    labels: { job: 'statsd' },
  });
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline < 0 ? bytes.length : newline;
    aggregator.add(bytes, from, to, generatorUnixMs);
    from = to + 1;
  }
  for (const atMs of [generatorUnixMs, generatorUnixMs + 2000]) {
    for (const request of aggregator.render(atMs)) refused(checkWrites(request.bytes));
  }
}

const statsdLines = [
  'a.b:1|c|@0.1|#x:y,z',
  'g:-1.5|g',
  's:abc|s',
  't:1:2:3|ms',
  'h:1e3|h|#le:1',
  '_e{1,1}:a|b',
];

export const receivers: readonly FuzzedDecoder[] = [
  {
    name: 'syslog, lines',
    make: (random) => Buffer.from(lines(random, syslogMessages).join('\n')),
    decode: decodeSyslog,
    mayThrow: [DecodeError],
  },
  {
    name: 'syslog, octet counting',
    make: (random) =>
      Buffer.from(
        lines(random, syslogMessages)
          .map((text) => `${Buffer.byteLength(text)} ${text}`)
          .join(''),
      ),
    decode: decodeSyslog,
    mayThrow: [DecodeError],
  },
  { name: 'fluent forward', make: fluentMessages, decode: decodeFluent, mayThrow: [DecodeError] },
  {
    name: 'statsd',
    make: (random) => Buffer.from(lines(random, statsdLines).join('\n')),
    decode: decodeStatsd,
    mayThrow: [],
  },
];
