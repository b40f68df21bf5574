/** Every converter of a foreign format. What it makes must be a request that the transcoder takes. */
import { RefusedError } from '#model/errors.ts';
import { type ConversionTask, type Format, formatSignals } from '#wire/conversion/conversion.ts';
import { convert } from '#wire/conversion/convert.ts';
import type { Lcg } from '../support/lcg.ts';
import { encodeLokiPush } from '../support/naive/loki-proto.ts';
import {
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '../support/naive/otlp-proto.ts';
import { generatorUnixMs, logsRequest, metricsRequest, traceRequest } from '../support/otlp-generator.ts';
import { renderOtlpJson } from '../wire/otlp-json/otlp-json-text.ts';
import { createChecked, type FuzzedDecoder } from './fuzzed-decoder.ts';

const texts = ['', 'ok', 'grüße', 'a "quoted" \\ value', 'line\n\nbreak', '日本語', 'x'.repeat(300)];
const names = ['app', 'pod.name', 'ä', '_1', 'level', 'service_name'];

const many = <Item>(random: Lcg, countMax: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: 1 + random.int(countMax) }, (_, i) => make(i));
const labels = (random: Lcg): Record<string, string> =>
  Object.fromEntries(many(random, 3, () => [random.pick(names), random.pick(texts)]));
const seconds = (random: Lcg): number => generatorUnixMs / 1000 + random.int(4 * 3600);

const inputs: Readonly<Record<Format, (random: Lcg) => string | Uint8Array>> = {
  otlp_json_logs: (random) => renderOtlpJson(decodeLogsRequest(encodeLogsRequest(logsRequest(random, 2, 3)))),
  otlp_json_traces: (random) =>
    renderOtlpJson(decodeTraceRequest(encodeTraceRequest(traceRequest(random, 2, 2)))),
  otlp_json_metrics: (random) =>
    renderOtlpJson(decodeMetricsRequest(encodeMetricsRequest(metricsRequest(random, 2, 2)))),
  loki_json: (random) =>
    JSON.stringify({
      streams: many(random, 3, () => ({
        stream: labels(random),
        values: many(random, 3, (i) => [
          `${seconds(random)}00000000${i}`,
          random.pick(texts),
          ...(random.chance(50) ? [labels(random)] : []),
        ]),
      })),
    }),
  loki_protobuf: (random) =>
    encodeLokiPush({
      streams: many(random, 3, () => ({
        labels: `{${Object.entries(labels(random)).map(([name, value]) => `${name}=${JSON.stringify(value)}`)}}`,
        entries: many(random, 3, (nanos) => ({
          timestamp: { seconds: seconds(random), nanos },
          line: random.pick(texts),
          structuredMetadata: Object.entries(labels(random)).map(([name, value]) => ({ name, value })),
        })),
      })),
    }),
  zipkin_json: (random) =>
    JSON.stringify(
      many(random, 4, () => ({
        traceId: Buffer.from(random.bytes(random.pick([8, 16]))).toString('hex'),
        id: Buffer.from(random.bytes(8)).toString('hex'),
        ...(random.chance(50) ? { parentId: '6b221d5bc9e6496c' } : {}),
        kind: random.pick(['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER']),
        name: random.pick(texts),
        timestamp: seconds(random) * 1_000_000 + random.int(1_000_000),
        duration: random.int(5_000_000),
        ...(random.chance(30) ? { shared: true, debug: true } : {}),
        localEndpoint: { serviceName: random.pick(texts), ipv4: '192.168.99.1', port: 3306 },
        remoteEndpoint: { ipv6: '2001:db8::c001', port: 3307 },
        annotations: many(random, 2, () => ({
          timestamp: seconds(random) * 1_000_000,
          value: random.pick(texts),
        })),
        tags: { ...labels(random), 'otel.scope.name': 'lib', error: '' },
      })),
    ),
  influx_lines: (random) =>
    many(random, 6, () => {
      const tags = random.pick(['', ',host=a', ',host=a,cpu=cpu\\ 0', ',ä=ü']);
      const fields = random.pick([
        'usage=0.5',
        'a=1i,b=2u,c=t',
        'text="a \\"b\\" c",n=-1.5e-3',
        'value=9223372036854775807i',
      ]);
      return `${random.pick(['cpu', 'disk\\ io', 'm'])}${tags} ${fields}${random.chance(80) ? ` ${seconds(random)}000000000` : ''}\n`;
    }).join(random.pick(['', '# comment\n', '\r\n'])),
};

function converted(format: Format): FuzzedDecoder {
  const signal = formatSignals[format];
  const transcode = createChecked(signal);
  const more: Partial<ConversionTask> =
    format === 'influx_lines' ? { influx: { precision: 'ns', database: 'd' } } : {};
  return {
    name: `convert ${format}`,
    make: (random) => {
      const input = inputs[format](random);
      return typeof input === 'string' ? Buffer.from(input) : input;
    },
    decode(bytes) {
      const nowUnixNano = BigInt(generatorUnixMs) * 1_000_000n;
      const { bytes: body } = convert({ format, bytes, nowUnixNano, bytesMax: 1024 * 1024, ...more });
      const { decodeError } = transcode(body);
      if (decodeError !== undefined) {
        throw new Error(`BUG: the converted ${signal} request is refused: ${decodeError}`);
      }
    },
    mayThrow: [RefusedError],
  };
}

export const converters = (Object.keys(inputs) as Format[]).map(converted);
