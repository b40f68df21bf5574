/**
 * Goal: whatever bytes a container writes, processors throw nothing, and leave protobuf and UTF-8 that others can read.
 * Method: random bytes, and random pieces of what processors look for, through all of them; protobufjs decodes the result,
 * strictly; the same bytes give the same result.
 */
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { RangeEncoder } from '#agent/logs/frame/range-encoder.ts';
import { decodeRequest, encodeRequest } from '#agent/processors/module/record-objects.ts';
import { encodeLogsRequest } from '#wire/otlp/logs-request.ts';
import { ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { decodeProcessed, process, startProcessors } from './processed-text.ts';

const all = `
- severity: { default: info }
- parse: { format: json, depth_max: 2, attributes_max: 5, timestamp: { field: ts, layout: unix_ms }, message: msg }
- parse: { format: logfmt, prefix: l. }
- parse: { pattern: "(?P<left>[^ =]*)=(?P<right>[^ ]*)", prefix: r. }
- redact: { patterns: { word: "(?i)w[oö]rd|é+" } }
- attributes: { rename: { a: b, r.left: l.a }, set: { x: y }, delete: [c] }
- sample: { rate: 0.9, severity: { debug: 0.5 } }
- log_metric: { name: m, pattern: "(?P<n>[0-9.]+)", value: n, labels: { n: { group: n } } }
- drop: { body: "drop|^x$|(a|b)c" }
- keep: { severity: from trace }
`;

const piece = fc.constantFrom(
  ...'{ } [ ] " \\ \\u00e9 \\ud83d : , = @ . - _ % 4111111111111111 10.0.0.1 ::1 2001:db8:: eyJ eyJhbGciOi AKIA'.split(
    ' ',
  ),
  ...'aws_secret_access_key Bearer -----BEGIN PRIVATE KEY----- -----END null true 1e5 -7 "a":1 "ts":1767323045123'.split(
    ' ',
  ),
  ...[
    '"msg":"x"',
    '{"a":{"b":{"c":[1]}}}',
    'level=',
    'a=b ',
    'W1126 ',
    '<13>',
    ' ',
    '\t',
    'é',
    '😀',
    'wörd',
    '\0',
  ],
  'A'.repeat(40),
);
const line = fc.oneof(
  fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join(''))),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .tuple(fc.array(piece, { maxLength: 8 }), fc.uint8Array({ maxLength: 20 }))
    .map(([pieces, bytes]) => Buffer.concat([Buffer.from(pieces.join('')), bytes])),
);

test('any bytes through all processors give records that others can read', async () => {
  const processors = await startProcessors(all);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      const { records, settle } = process(processors, text);
      settle();
      for (const { body, attributes } of records) {
        expect(isUtf8(Buffer.from(body))).toBe(true);
        // A number that a word or a fraction goes into is none, and an own expression may have cut that off.
        if (!body.includes('[word]')) expect(body).not.toMatch(/(?<!\w)4111111111111111(?![\w.])/);
        for (const value of Object.values(attributes)) expect(value).not.toBeUndefined();
      }
      expect(process(processors, text).records).toEqual(records);
    }),
    { numRuns: 1500 },
  );
  for (const { errors, processor } of processors.totals())
    expect([processor, errors]).toEqual([processor, 0]);
  await processors.stop({ drainMs: 0 });
});

test('records survive being objects', async () => {
  const processors = await startProcessors(all);
  const pipeline = processors.pipelineOf({ 'service.name': 'web', 'k8s.container.restart_count': 3 })!;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      const chunk = byteSource(Buffer.concat([text, Buffer.alloc(copySlackBytes)]));
      const out = new ByteWriter();
      new RangeEncoder(new FrameReaders(), 4096).encode(
        { format: 'plain', multiline: 'auto' },
        chunk,
        0,
        text.length,
        out,
        pipeline,
      );
      const runs =
        out.position === 0 ? [] : [{ resource: pipeline.resourceBytes, from: 0, to: out.position }];
      const request = encodeLogsRequest(runs, out.bytes);
      expect(decodeProcessed(encodeRequest(decodeRequest(request)))).toEqual(decodeProcessed(request));
    }),
    { numRuns: 300 },
  );
  await processors.stop({ drainMs: 0 });
});
