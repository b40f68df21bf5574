/**
 * What framing a container's log costs, and what processors add to it, in ns per record: one thread, warmed up, the best
 * of several rounds, as whatever else runs on the machine only ever adds.
 *
 *   node bench/agent-processors.ts
 */
import { parse } from 'yaml';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { RangeEncoder } from '#agent/logs/frame/range-encoder.ts';
import { createLogProcessors } from '#agent/processors/log-processors.ts';
import { processorsOptions } from '#agent/processors/processors-options.ts';
import type { Transport } from '#wire/envelope.ts';
import { ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';

const recordCount = 8000;
const rounds = 30;

const texts: Readonly<Record<string, (index: number) => string>> = {
  plain: (index) =>
    `2026-01-02 03:04:05,123 INFO  [http-nio-8080-exec-${index % 10}] c.s.OrderController order ${index} of customer ` +
    `${index * 7} was placed in ${index % 300} ms, 3 items, total 129.90 EUR`,
  json: (index) =>
    `{"time":"2026-01-02T03:04:05.123Z","level":"info","logger":"orders","msg":"order placed","order_id":${index},` +
    `"customer":{"id":${index * 7},"tier":"gold"},"ms":${index % 300},"ok":true}`,
  secret: (index) =>
    `2026-01-02 03:04:05,123 INFO  [exec-${index % 10}] login of user${index}@example.org from 10.0.${index % 250}.7 with ` +
    'card 4111 1111 1111 1111 was accepted',
};

const pipelines: readonly (readonly [text: string, name: string, yaml: string])[] = [
  ['plain', 'none', '[]'],
  ['plain', 'severity', '- severity: {}'],
  ['plain', 'redact all, nothing found', '- redact: {}'],
  ['secret', 'redact all, three found', '- redact: {}'],
  ['secret', 'none', '[]'],
  ['plain', 'drop: a text, none dropped', '- drop: { body: "GET /healthz" }'],
  ['plain', 'drop: a text, all dropped', '- drop: { body: "OrderController" }'],
  ['plain', 'drop: expression, its text is missing', '- drop: { body: "GET /health(z|check)" }'],
  ['plain', 'drop: expression, its text is there', '- drop: { body: "order [0-9]+ off" }'],
  ['plain', 'drop: severity below info', '- drop: { severity: below info }'],
  ['plain', 'sample by hash', '- sample: { rate: 0.999 }'],
  ['json', 'none', '[]'],
  ['json', 'parse json', '- parse: { format: json }'],
  ['json', 'severity, parse json, redact', '- severity: {}\n- parse: { format: json }\n- redact: {}'],
  [
    'plain',
    'log_metric: one expression',
    '- log_metric: { name: m, pattern: "in (?P<ms>[0-9]+) ms", value: ms }',
  ],
];

function criLog(body: (index: number) => string): Buffer {
  let text = '';
  for (let index = 0; index < recordCount; index++) {
    const time = new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + index).toISOString().replace('Z', '123456Z');
    text += `${time} stdout F ${body(index)}\n`;
  }
  return Buffer.concat([Buffer.from(text), Buffer.alloc(copySlackBytes)]);
}

const transport: Transport = {
  send: async () => ({ rejected: 0, reason: '' }),
  state: () => 'ok',
  close: async () => undefined,
};
const log = { info: () => undefined, warn: () => undefined, error: console.error } as never;

async function bestNs(text: Buffer, yaml: string): Promise<number> {
  const entries = processorsOptions['logs.processors'].schema.parse(parse(yaml));
  const options = {
    transport,
    tenant: 'bench',
    node: 'n',
    log,
    metricsIntervalMs: 60_000,
    batchBytesMax: 1e6,
    directory: '/',
  };
  const processors = await createLogProcessors(entries, options);
  const pipeline = processors?.pipelineOf({ 'service.name': 'bench' });
  const encoder = new RangeEncoder(new FrameReaders(), 256 * 1024);
  const chunk = byteSource(text);
  const out = new ByteWriter();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    out.clear();
    const start = process.hrtime.bigint();
    encoder.encode(
      { format: 'cri', multiline: 'auto' },
      chunk,
      0,
      text.length - copySlackBytes,
      out,
      pipeline,
    );
    best = Math.min(best, Number(process.hrtime.bigint() - start));
  }
  await processors?.stop({ drainMs: 0 });
  return best;
}

for (const [textName, name, yaml] of pipelines) {
  const text = criLog(texts[textName]!);
  const ns = await bestNs(text, yaml);
  const perRecord = (ns / recordCount).toFixed(0).padStart(6);
  console.log(`${perRecord} ns/record  ${(text.length / ns).toFixed(2)} GB/s  ${textName}: ${name}`);
}
