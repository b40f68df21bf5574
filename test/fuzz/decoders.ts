/** Every decoder of bytes from outside, with what it may throw. Inputs are made by the real encoders. */
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { ApiObjectError } from '#agent/containers/api-object-error.ts';
import { JsonLines } from '#agent/containers/json-lines.ts';
import { dockerFacts } from '#agent/docker/docker-attributes.ts';
import { readDockerContainer } from '#agent/docker/docker-record.ts';
import { PodCache } from '#agent/kubernetes/pod-cache.ts';
import { readPod } from '#agent/kubernetes/pod-record.ts';
import { parsePromotedFields } from '#collector/transcode/promoted-fields.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { DecodeError, RefusedError } from '#model/errors.ts';
import { readBlocks } from '#store/native/block-reader.ts';
import { BlockSplitter } from '#store/native/block-splitter.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { decompressLz4Frame } from '#wire/kafka/lz4-frame.ts';
import { recognisePayload } from '#wire/kafka/payload.ts';
import { readBatches, readRecords } from '#wire/kafka/record-batch.ts';
import { decompressSnappy } from '#wire/kafka/snappy-frame.ts';
import { encodeTextLog } from '#wire/kafka/text-log.ts';
import { requestShapes } from '#wire/otlp-json/request-shapes.ts';
import { dumpFields } from '#wire/protobuf/field-dump.ts';
import { decodeContent } from '#wire/receive/content-encoding.ts';
import { remoteWriteShape } from '#wire/remote-write/request-shapes.ts';
import { inspectedContainer } from '../support/docker-engine.ts';
import { framedSnappy } from '../support/framed-snappy.ts';
import { recordBatch, uncompressedBatch } from '../support/kafka-record-batch.ts';
import { hexId, podObject } from '../support/kube-objects.ts';
import type { Lcg } from '../support/lcg.ts';
import { encodeLogsRequest, encodeMetricsRequest, encodeTraceRequest } from '../support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '../support/naive/prometheus-proto.ts';
import {
  logsRequest,
  metricsRequest,
  remoteWrite1Request,
  remoteWrite2Request,
  traceRequest,
} from '../support/otlp-generator.ts';
import { converters } from './converters.ts';
import { discoveryDecoders } from './discovery-decoders.ts';
import { createChecked, type FuzzedDecoder, fuzzContext } from './fuzzed-decoder.ts';
import { producerDecoders } from './producer-decoders.ts';
import { queryTexts } from './query-texts.ts';
import { receivers } from './receivers.ts';
import { scrapedPages } from './scraped-pages.ts';
import { sampledSpans } from './span-samplers.ts';

/** With `seriesMax`, series over the limit are met and refused. */
function transcoded(
  signal: Signal,
  encode: (random: Lcg) => Uint8Array,
  seriesMax = 0,
  convertsHistograms = false,
): FuzzedDecoder {
  const metrics = { ...transcoderOptionsDefault.metrics, convertsHistograms };
  const seriesLimits = { tenantSeriesMax: seriesMax * 4, metricSeriesMax: seriesMax };
  return {
    name: `transcode ${signal} ${encode.name}${seriesMax === 0 ? '' : ` of ${seriesMax} series`}${convertsHistograms ? ' as native histograms' : ''}`,
    make: encode,
    decode: createChecked(signal, {
      metrics,
      seriesLimits,
      promotedFields,
      // Whatever its points' times are, a delta series is never silent for longer.
      deltaStaleMs: 1e15,
    }),
    mayThrow: [],
  };
}

const logs = (random: Lcg): Uint8Array => encodeLogsRequest(logsRequest(random, 2, 4));
/** Each record's body is JSON or logfmt, cut off somewhere. */
const fields = (random: Lcg): Uint8Array => {
  const texts = [
    '{"a":{"b":"x \\u00e9","c":[1,{"d":2}]},"e":-1.5e3,"f":null}',
    'ts=1 a.b="x \\"y\\"" e=2 word f=',
  ];
  const logRecords = Array.from({ length: 4 }, () => {
    const text = random.pick(texts);
    return { body: { stringValue: text.slice(0, text.length - random.int(text.length)) } };
  });
  return encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
};
const promotedFields = parsePromotedFields(['a.b', 'a.c', 'a=A', 'e', 'f']);
const traces = (random: Lcg): Uint8Array => encodeTraceRequest(traceRequest(random, 2, 3));
const metrics = (random: Lcg): Uint8Array => encodeMetricsRequest(metricsRequest(random, 2, 2));
const deltas = (random: Lcg): Uint8Array => encodeMetricsRequest(metricsRequest(random, 2, 3, true));
const write1 = (random: Lcg): Uint8Array => encodeRemoteWrite1(remoteWrite1Request(random, 4));
const write2 = (random: Lcg): Uint8Array => encodeRemoteWrite2(remoteWrite2Request(random, 4));

const bytesMax = 1024 * 1024;
const encodings: readonly (readonly [string, string, (plain: Uint8Array) => Uint8Array])[] = [
  ['gzip', 'gzip', gzipSync],
  ['zstd', 'zstd', zstdCompressSync],
  ['deflate', 'deflate', deflateSync],
  ['deflate, bare', 'deflate', deflateRawSync],
  ['snappy', 'snappy', snappy.compress],
  ['snappy, framed', 'snappy', framedSnappy],
];

function nativeBlock(random: Lcg): Uint8Array {
  const { blocks } = createTranscoder()({
    requests: [{ signal: 'logs', tenant: 'fuzz', bytes: logs(random) }],
    ...fuzzContext,
  });
  return Buffer.concat(blocks[0]?.parts ?? []);
}

/** One block, not compressed. */
function lz4Frame(bytes: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(0x80000000 + bytes.length);
  return Buffer.concat([
    Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82),
    size,
    bytes,
    new Uint8Array(4),
  ]);
}

/** Rules of all kinds: a damaged one is a problem of the container, never an error. */
const rulesOfAll = {
  'sonde.io/files.web': 'a=/log/*.log',
  'sonde.io/multiline': '^\\d+',
  'sonde.io/rate-limit': '1MiB/s',
};
const aliyunEnv = [
  { name: 'aliyun_logs_a', value: 'stdout' },
  { name: 'aliyun_logs_a_tags', value: 'k=v' },
];
const pods = new PodCache({
  choice: { podLabel: () => true, podAnnotation: () => true, isServiceFromLabels: true },
  keepDeletedMs: 1,
  surroundings: () => ({}),
  rootOf: () => undefined,
  now: () => 0,
});
const jsonLine = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
const readLines = (bytes: Uint8Array): unknown[] => new JsonLines(bytesMax).push(Buffer.from(bytes));
const apiObjects: readonly FuzzedDecoder[] = [
  {
    name: 'pods of a watch',
    make: () =>
      jsonLine(
        podObject({
          name: 'a',
          uid: 'u',
          annotations: rulesOfAll,
          containers: [{ name: 'web', env: aliyunEnv }],
        }),
      ),
    decode: (bytes) => readLines(bytes).map((object) => pods.upsert(readPod(object, () => true))),
    mayThrow: [DecodeError, ApiObjectError],
  },
  {
    name: 'inspected containers',
    make: () =>
      jsonLine(
        inspectedContainer({
          id: hexId('aa'),
          name: 'a',
          labels: { 'sonde.logs.a': '/log/*.log', 'aliyun.logs.b': 'stdout', 'aliyun.logs.b.tags': 'k=v' },
        }),
      ),
    decode: (bytes) =>
      readLines(bytes).map((object) => dockerFacts(readDockerContainer(object), 'docker', () => true)),
    mayThrow: [DecodeError, ApiObjectError],
  },
];

export const decoders: readonly FuzzedDecoder[] = [
  transcoded('logs', logs),
  transcoded('logs', fields),
  transcoded('traces', traces),
  sampledSpans(traces),
  transcoded('metrics', metrics),
  transcoded('metrics', deltas),
  transcoded('metrics', metrics, 0, true),
  transcoded('metrics', deltas, 0, true),
  transcoded('remote_write', write1),
  transcoded('remote_write', write2),
  transcoded('metrics', metrics, 5),
  transcoded('remote_write', write2, 5),
  ...converters,
  ...apiObjects,
  ...receivers,
  ...encodings.map(
    ([name, encoding, compress]): FuzzedDecoder => ({
      name: `content-encoding ${name}`,
      make: (random) => compress(logs(random)),
      decode: (bytes) => decodeContent(bytes, encoding, bytesMax),
      mayThrow: [RefusedError],
    }),
  ),
  {
    name: 'Native blocks, read',
    make: nativeBlock,
    decode: (bytes) => [...readBlocks(bytes)],
    mayThrow: [DecodeError],
  },
  {
    name: 'Native blocks, split',
    make: nativeBlock,
    decode: (bytes) => new BlockSplitter().push(bytes),
    mayThrow: [DecodeError],
  },
  ...signals.map(
    (signal): FuzzedDecoder => ({
      name: `Kafka message of ${signal}, recognised and shown`,
      make: { logs, traces, metrics, remote_write: write2 }[signal],
      decode: (bytes) => {
        dumpFields(bytes, signal === 'remote_write' ? remoteWriteShape : requestShapes[signal], 10);
        return recognisePayload(signal, bytes, { contentType: '', encoding: '', isTextTaken: false });
      },
      mayThrow: [RefusedError],
    }),
  ),
  {
    name: 'Kafka log line',
    make: (random) => Buffer.from(JSON.stringify(`line ${random.int(1000)}`)),
    decode: (bytes) => encodeTextLog(bytes, 1),
    mayThrow: [],
  },
  {
    name: 'Kafka lz4',
    make: (random) => lz4Frame(logs(random)),
    decode: (bytes) => decompressLz4Frame(Buffer.from(bytes), bytesMax),
    mayThrow: [DecodeError],
  },
  {
    name: 'Kafka snappy',
    make: (random) => snappy.compress(logs(random)),
    decode: (bytes) => decompressSnappy(Buffer.from(bytes), bytesMax),
    mayThrow: [DecodeError],
  },
  {
    name: 'Kafka record batches',
    make: (random) => recordBatch(logs(random)),
    decode: (bytes) => readBatches(Buffer.from(bytes), 0, []),
    mayThrow: [DecodeError],
  },
  {
    name: 'Kafka records',
    make: (random) => recordBatch(logs(random)).subarray(61),
    decode: (bytes) => readRecords(uncompressedBatch(bytes), bytesMax),
    mayThrow: [DecodeError],
  },
  ...discoveryDecoders,
  ...producerDecoders,
  ...queryTexts,
  ...scrapedPages,
];
