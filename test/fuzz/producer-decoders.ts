/** What the Kafka producer reads of others: requests that it cuts and divides, and the answers of brokers. */
import { DecodeError } from '#model/errors.ts';
import type { Signal } from '#wire/envelope.ts';
import { decodeProduceResponse } from '#wire/kafka/produce-request.ts';
import { firstResourceHash, halveRequest, splitByResource, splitByTrace } from '#wire/kafka/split-request.ts';
import { sourceHash } from '#wire/remote-write/source-hash.ts';
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
import type { FuzzedDecoder } from './fuzzed-decoder.ts';

const traces = (random: Lcg) => encodeTraceRequest(traceRequest(random));
const metrics = (random: Lcg) => encodeMetricsRequest(metricsRequest(random));
const remoteWrites = [
  (random: Lcg) => encodeRemoteWrite1(remoteWrite1Request(random)),
  (random: Lcg) => encodeRemoteWrite2(remoteWrite2Request(random)),
];
const requests: readonly (readonly [Signal, (random: Lcg) => Uint8Array])[] = [
  ['logs', (random) => encodeLogsRequest(logsRequest(random))],
  ['traces', traces],
  ['metrics', metrics],
  ...remoteWrites.map((make) => ['remote_write', make] as const),
];

/** One topic, one partition, an error with words for two records. */
const answer = Buffer.from(
  '00000001000174000000010000000000570000000000000000ffffffffffffffff00000000000000000000000200000000000161' +
    '00000001ffff000362616400000000',
  'hex',
);

export const producerDecoders: readonly FuzzedDecoder[] = [
  ...requests.map(
    ([signal, make], index): FuzzedDecoder => ({
      name: `halves of ${signal} ${index}`,
      make,
      decode: (bytes) => halveRequest(signal, bytes),
      mayThrow: [DecodeError],
    }),
  ),
  {
    name: 'spans by trace',
    make: traces,
    decode: (bytes) => splitByTrace(bytes, 8),
    mayThrow: [DecodeError],
  },
  {
    name: 'points by resource',
    make: metrics,
    decode: (bytes) => [splitByResource(bytes, 'team-a', 8), firstResourceHash(bytes, 'team-a')],
    mayThrow: [DecodeError],
  },
  ...remoteWrites.map(
    (make, index): FuzzedDecoder => ({
      name: `source of remote write ${index + 1}`,
      make,
      decode: (bytes) => sourceHash(bytes, 'team-a'),
      mayThrow: [DecodeError],
    }),
  ),
  {
    name: 'answers to Produce',
    make: () => answer,
    decode: (bytes) => decodeProduceResponse(Buffer.from(bytes), 8),
    mayThrow: [DecodeError],
  },
];
