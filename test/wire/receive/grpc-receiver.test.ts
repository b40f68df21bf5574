/**
 * Goal: a gRPC sender learns when to come again, and compressed messages are read within the limit.
 * Method: grpc-js's own client, a real socket, and protobufjs to read the status details.
 */
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { mebibyte, type RecordingReceivers, startRecordingReceivers } from './recording-receivers.ts';

let receivers: RecordingReceivers;
beforeAll(async () => {
  receivers = await startRecordingReceivers();
});
afterAll(() => receivers.close(1000));
beforeEach(() => receivers.reset());

const { root } = protobuf.parse(`
syntax = "proto3";
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message Any { string type_url = 1; bytes value = 2; }
message RetryInfo { Duration retry_delay = 1; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
`);

function exportLogs(message: Uint8Array, options: grpc.ClientOptions = {}) {
  const client = new grpc.Client(receivers.grpcAddress, grpc.credentials.createInsecure(), options);
  return new Promise<{ code: number; details: string; metadata: grpc.Metadata | undefined }>((resolve) => {
    client.makeUnaryRequest(
      '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from(message),
      (error) => {
        client.close();
        resolve({ code: error?.code ?? 0, details: error?.details ?? '', metadata: error?.metadata });
      },
    );
  });
}

function retryInfo(metadata: grpc.Metadata | undefined): unknown {
  const [details] = metadata?.get('grpc-status-details-bin') ?? [];
  if (details === undefined) return undefined;
  const options = { longs: Number, defaults: true } as const;
  const statusType = root.lookupType('Status');
  const { code, message, details: anys } = statusType.toObject(statusType.decode(details as Buffer), options);
  const retryType = root.lookupType('RetryInfo');
  const { retryDelay } = retryType.toObject(retryType.decode(anys[0].value), options);
  return { code, message, typeUrl: anys[0].typeUrl, ...retryDelay };
}

const typeUrl = 'type.googleapis.com/google.rpc.RetryInfo';

test('a full pipeline is UNAVAILABLE, a quota RESOURCE_EXHAUSTED, both with the delay', async () => {
  receivers.answer = () => Promise.reject(new UnavailableError('full', { retryAfterMs: 2500 }));
  const full = await exportLogs(Buffer.from('x'));
  expect(full.code).toBe(grpc.status.UNAVAILABLE);
  expect(retryInfo(full.metadata)).toEqual({
    code: 14,
    message: 'full',
    typeUrl,
    seconds: 2,
    nanos: 500_000_000,
  });
  receivers.answer = () =>
    Promise.reject(new UnavailableError('too much', { status: 429, retryAfterMs: 60_000 }));
  const limited = await exportLogs(Buffer.from('x'));
  expect(limited).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'too much' });
  expect(retryInfo(limited.metadata)).toEqual({
    code: 8,
    message: 'too much',
    typeUrl,
    seconds: 60,
    nanos: 0,
  });
});

test('what may not be repeated has no delay', async () => {
  receivers.answer = () => Promise.reject(new RefusedError('bad varint'));
  const refused = await exportLogs(Buffer.from('x'));
  expect(refused).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'bad varint' });
  expect(retryInfo(refused.metadata)).toBe(undefined);
});

const gzip = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };

test('messages compressed with gzip are read', async () => {
  const message = Buffer.from('telemetry '.repeat(1000));
  expect((await exportLogs(message, gzip)).code).toBe(0);
  expect(Buffer.compare(Buffer.from(receivers.received[0]!.bytes), message)).toBe(0);
});

test('what a message inflates to is bounded by our limit: less is read, more is refused', async () => {
  expect((await exportLogs(Buffer.alloc(4.5 * mebibyte), gzip)).code).toBe(0);
  for (const size of [5.5 * mebibyte, 64 * mebibyte]) {
    const bomb = await exportLogs(Buffer.alloc(size), gzip);
    expect(bomb.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    expect(retryInfo(bomb.metadata)).toBe(undefined);
  }
  expect(receivers.received).toHaveLength(1);
});
