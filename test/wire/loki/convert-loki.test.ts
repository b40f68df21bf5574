/**
 * Goal: a push in either of Loki's encodings becomes the OTLP request that says the same; what is wrong in it is counted
 * or refused, never dropped.
 * Method: both converters get the same streams, from protobufjs and JSON.stringify, and protobufjs reads the result.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { encodeLokiPush } from '#test/support/naive/loki-proto.ts';
import { decodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import type { Conversion } from '#wire/conversion/conversion.ts';
import { convertLokiJson } from '#wire/loki/convert-loki-json.ts';
import { convertLokiProtobuf } from '#wire/loki/convert-loki-protobuf.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';

interface Entry {
  readonly nano: bigint;
  readonly line: string;
  readonly metadata?: Record<string, string>;
}
interface Stream {
  readonly labels: Record<string, string>;
  readonly entries: readonly Entry[];
}

const bytesMax = 1_000_000;
const task = { nowUnixNano: 0n, bytesMax };

function fromJson(json: unknown): Conversion {
  const bytes = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  return convertLokiJson({ ...task, format: 'loki_json', bytes });
}

function fromProtobuf(bytes: Uint8Array): Conversion {
  return convertLokiProtobuf({ ...task, format: 'loki_protobuf', bytes });
}

const second = 1_000_000_000n;

const encodings: Record<string, (streams: readonly Stream[]) => Conversion> = {
  json: (streams) =>
    fromJson({
      streams: streams.map(({ labels, entries }) => ({
        stream: labels,
        values: entries.map(({ nano, line, metadata }) => [
          String(nano),
          line,
          ...(metadata === undefined ? [] : [metadata]),
        ]),
      })),
    }),
  protobuf: (streams) =>
    fromProtobuf(
      encodeLokiPush({
        streams: streams.map(({ labels, entries }) => ({
          labels: labelText(labels),
          entries: entries.map(({ nano, line, metadata = {} }) => ({
            timestamp: { seconds: nano / second, nanos: Number(nano % second) },
            line,
            structuredMetadata: Object.entries(metadata).map(([name, value]) => ({ name, value })),
            parsed: [{ name: 'found', value: 'by Loki' }],
          })),
          hash: 7,
        })),
      }),
    ),
};

function labelText(labels: Record<string, string>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ')}}`;
}

type Pairs = readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
const render = (pairs: Pairs = []): string =>
  pairs.map(({ key, value }) => `${key}=${value.stringValue}`).join(' ');

/** `resource | time level:text body attributes` of each record. */
function records(bytes: Uint8Array): string[] {
  checkStructure('logs', bytes);
  const lines: string[] = [];
  for (const { resource, scopeLogs } of decodeLogsRequest(bytes).resourceLogs) {
    for (const record of scopeLogs[0].logRecords) {
      const level =
        record.severityText === undefined ? '-' : `${record.severityNumber ?? 0}:${record.severityText}`;
      const ids = [record.traceId, record.spanId]
        .filter((id) => id !== undefined)
        .map((id) => Buffer.from(id).toString('hex'));
      const parts = [record.timeUnixNano, level, record.body.stringValue, render(record.attributes), ...ids];
      lines.push(`${render(resource.attributes)} | ${parts.join(' ').trim()}`);
    }
  }
  return lines;
}

const nano = 1_700_000_000_123_456_789n;

test.each(Object.entries(encodings))('%s: labels, lines and metadata', (_name, convert) => {
  const streams: Stream[] = [
    {
      labels: { app: 'shop', env: 'prod' },
      entries: [
        { nano, line: 'one' },
        { nano: nano + 1n, line: 'two\n"é"', metadata: { user: '7', empty: '' } },
        { nano, line: '' },
      ],
    },
    {
      labels: { job: 'varlogs', level: 'error' },
      entries: [{ nano: 1n, line: 'x', metadata: { level: 'DEBUG' } }],
    },
    { labels: { service_name: 's', app: 'a' }, entries: [{ nano, line: 'y' }] },
    { labels: { host: 'h', severity: 'odd' }, entries: [{ nano, line: 'z' }] },
    { labels: { name: 'empty' }, entries: [] },
  ];
  const { bytes, rejections, ignored, isClocked } = convert(streams);
  expect(records(bytes)).toEqual([
    `service.name=shop app=shop env=prod | ${nano} - one`,
    `service.name=shop app=shop env=prod | ${nano + 1n} - two\n"é" user=7 empty=`,
    `service.name=shop app=shop env=prod | ${nano} -`,
    'service.name=varlogs job=varlogs level=error | 1 5:DEBUG x level=DEBUG',
    `service.name=s app=a | ${nano} - y`,
    `service.name=unknown_service host=h severity=odd | ${nano} 0:odd z`,
  ]);
  expect({ rejections, ignored, isClocked }).toEqual({ rejections: [], ignored: 0, isClocked: false });
});

test.each(Object.entries(encodings))(
  '%s: ids in metadata are the record’s ids, if they are ids',
  (_name, convert) => {
    const metadata = { trace_id: '5B8EFFF798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174' };
    const { bytes } = convert([
      {
        labels: { app: 'a' },
        entries: [
          { nano, line: 'x', metadata },
          { nano, line: 'x', metadata: { trace_id: 'none', span_id: '' } },
        ],
      },
    ]);
    expect(records(bytes)).toEqual([
      `service.name=a app=a | ${nano} - x  5b8efff798038103d269b633813fc60c eee19b7ec3c1b174`,
      `service.name=a app=a | ${nano} - x trace_id=none span_id=`,
    ]);
  },
);

test.each(Object.entries(encodings))(
  '%s: streams with bad labels and entries without a time are counted',
  (name, convert) => {
    const { bytes, rejections } = convert([
      {
        labels: {},
        entries: [
          { nano, line: 'a' },
          { nano, line: 'b' },
        ],
      },
      {
        labels: { app: 'a' },
        entries: [
          { nano: 0n, line: 'c' },
          { nano, line: 'd' },
        ],
      },
      { labels: { '0': 'a' }, entries: [{ nano, line: 'e' }] },
    ]);
    expect(records(bytes)).toEqual([`service.name=a app=a | ${nano} - d`]);
    expect(rejections.map(({ reason, count }) => [reason, count])).toEqual([
      ['labels', 3],
      ['timestamp', 1],
    ]);
    expect(rejections[0]!.message).toContain('at least one label pair is required per stream');
    expect(rejections[1]!.message).toBe(
      name === 'json'
        ? 'streams[1].values[0]: the entry has no timestamp'
        : 'stream 1, entry 0: the entry has no timestamp after 1970',
    );
  },
);

test('JSON: values may come before labels, keys that are not known are ignored', () => {
  const { bytes } = fromJson(
    `{"other": [1], "streams": [{"values": [["${nano}", "x", {}, "more"]], "extra": {}, "stream": {"app": "a"}}]}`,
  );
  expect(records(bytes)).toEqual([`service.name=a app=a | ${nano} - x`]);
});

test('JSON of the first API: label text, and entries with RFC 3339 times', () => {
  const { bytes, rejections } = fromJson({
    streams: [
      {
        labels: '{job="a"}',
        entries: [
          { ts: '2023-11-14T22:13:20.123456789Z', line: 'x' },
          { line: 'y', ts: '2023-11-14T23:13:20+01:00' },
          { line: 'no time' },
        ],
      },
      { labels: '{job=a}', entries: [{ ts: '2023-11-14T22:13:20Z', line: 'lost' }] },
    ],
  });
  expect(records(bytes)).toEqual([
    `service.name=a job=a | ${nano} - x`,
    'service.name=a job=a | 1700000000000000000 - y',
  ]);
  expect(rejections).toEqual([
    { reason: 'timestamp', count: 1, message: 'streams[0].entries[2]: the entry has no timestamp' },
    {
      reason: 'labels',
      count: 1,
      message: 'streams[1]: error parsing labels: expected a quoted label value at byte 5',
    },
  ]);
});

test.each([
  ['[]', 'expected an object at byte 0'],
  ['{"streams": {}}', 'expected an array at byte 12'],
  ['{"streams": [{"stream": {"a": 1}}]}', 'streams[0]: expected a string at byte 30'],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [[1, "x"]]}]}',
    'streams[0].values[0]: expected a string at byte 48',
  ],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [["x", "x"]]}]}',
    'streams[0].values[0]: expected an integer',
  ],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [["-1", "x"]]}]}',
    'streams[0].values[0]: an integer does not fit',
  ],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [["1"]]}]}',
    'streams[0].values[0]: an entry ends where a line should be',
  ],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [["1", "x"], []]}]}',
    'streams[0].values[1]: an entry ends where a timestamp',
  ],
  [
    '{"streams": [{"stream": {"a": "b"}, "values": [["1", "x", {"k": 5}]]}]}',
    'streams[0].values[0]: expected a string',
  ],
  [
    '{"streams": [{"labels": "{a=`b`}", "entries": [{"ts": "today"}]}]}',
    'streams[0].entries[0]: "ts" must be a time as in RFC 3339',
  ],
])('JSON %s is refused', (text, says) => {
  expect(() => fromJson(text)).toThrow(RefusedError);
  expect(() => fromJson(text)).toThrow(says);
});

test('protobuf: a line that is not UTF-8 keeps what is', () => {
  const bytes = Buffer.from(
    encodeLokiPush({
      streams: [{ labels: '{a="b"}', entries: [{ timestamp: { seconds: 5 }, line: 'caf#' }] }],
    }),
  );
  bytes[bytes.indexOf('#')] = 0xe9;
  expect(records(fromProtobuf(bytes).bytes)).toEqual([
    'service.name=unknown_service a=b | 5000000000 - caf\ufffd',
  ]);
});

test.each([
  { seconds: -1, nanos: 0 },
  { seconds: 5, nanos: -1 },
  { seconds: 2n ** 62n, nanos: 0 },
])('protobuf: a time that OTLP cannot hold is counted: $seconds s $nanos ns', (timestamp) => {
  const { bytes, rejections } = fromProtobuf(
    encodeLokiPush({ streams: [{ labels: '{a="b"}', entries: [{ timestamp, line: 'x' }] }] }),
  );
  expect(records(bytes)).toEqual([]);
  expect(rejections).toMatchObject([{ reason: 'timestamp', count: 1 }]);
});

const sample = [
  {
    labels: { app: 'a', level: 'info' },
    entries: [
      { nano, line: 'x\ty', metadata: { user: '1' } },
      { nano, line: 'z' },
    ],
  },
];

test('both encodings, cut off or damaged anywhere, are read or refused', () => {
  const json = Buffer.from(
    JSON.stringify({
      streams: [{ stream: sample[0]!.labels, values: [[String(nano), 'x\ty', { user: '1' }]] }],
    }),
  );
  const protobuf = Buffer.from(
    encodeLokiPush({
      streams: [
        {
          labels: '{app="a"}',
          entries: [
            {
              timestamp: { seconds: 5, nanos: 7 },
              line: 'x',
              structuredMetadata: [{ name: 'u', value: '1' }],
            },
          ],
        },
      ],
    }),
  );
  for (let end = 0; end < json.length; end++)
    expect(() => fromJson(json.toString('utf8', 0, end))).toThrow(RefusedError);
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(damage, fc.nat(), (changes, cut) => {
      for (const [whole, convert] of [
        [json, (bytes: Buffer) => convertLokiJson({ ...task, format: 'loki_json', bytes })],
        [protobuf, fromProtobuf],
      ] as const) {
        const damaged = Buffer.from(whole);
        for (const [at, byte] of changes) damaged[at % whole.length] = byte;
        for (const bytes of [
          damaged,
          damaged.subarray(0, cut % whole.length),
          whole.subarray(0, cut % whole.length),
        ]) {
          try {
            checkStructure('logs', convert(bytes).bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(RefusedError);
          }
        }
      }
    }),
    { numRuns: 2000 },
  );
});
