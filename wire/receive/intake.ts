/**
 * What happens to the body of a push, whatever its protocol: decompressed, named, converted, handed to the sink.
 *
 *   intake({ signal: 'logs', form: { format: 'loki_json', ... }, received, ... })  ->  { accepted: 2, rejected: 0, ... }
 *
 * Invariant: memory is held (see inflight-bytes.ts) before it is taken, at each of these steps.
 */
import { availableParallelism } from 'node:os';
import { metrics } from '@opentelemetry/api';
import { ConcurrencyLimit } from '#model/concurrency-limit.ts';
import { freeBytes } from '#model/free-bytes.ts';
import type { Conversion } from '../conversion/conversion.ts';
import type { ConverterPool } from '../conversion/converter-pool.ts';
import { countRejections } from '../conversion/rejection-counter.ts';
import type { Delivery, EnvelopeSink, Signal } from '../envelope.ts';
import { clockedIdentity, contentIdentity, senderIdentity } from './batch-identity.ts';
import { decodeContent, expectedPlainBytes, type PlainContent } from './content-encoding.ts';
import type { PushBody, PushOutcome } from './push-protocol.ts';

export interface IntakeOptions {
  readonly sink: EnvelopeSink;
  readonly bodyBytesMax: number;
  readonly pool: ConverterPool;
  /** Nanoseconds since 1970. */
  readonly now: () => bigint;
}

export interface Push {
  readonly signal: Signal;
  readonly form: PushBody;
  readonly tenant: string;
  /** As it came; may be moved to another thread, or freed. */
  readonly received: Uint8Array;
  /** Content-Encoding, undefined where it is absent. */
  readonly encoding: string | undefined;
  /** The sender's own batch id, if it has one. */
  readonly batchId: string | undefined;
  /** Fires when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** Is told how many bytes the request holds, before it does; throws UnavailableError over the bound. */
  readonly hold: (heldBytes: number) => void;
}

const meter = metrics.getMeter('sonde');
const byteCounter = meter.createCounter('sonde.receive.bytes', {
  description: 'Bytes of accepted requests after decompression.',
  unit: 'By',
});

const nothing: Delivery = { accepted: 0, rejected: 0, reason: '' };

/**
 * Resolves when what was pushed is durable. Rejects with RefusedError where the body is wrong for good, and with what the
 * sink rejects with.
 */
export function createIntake(options: IntakeOptions): (push: Push) => Promise<PushOutcome> {
  // Each takes a window of megabytes besides what it makes, and more of them at a time are not done sooner. By signal, so
  // that one whose sink is slow does not hold up the others.
  const limit = (): ConcurrencyLimit => new ConcurrencyLimit(availableParallelism() + 1);
  const inflations: Readonly<Record<Signal, ConcurrencyLimit>> = {
    logs: limit(),
    traces: limit(),
    metrics: limit(),
    remote_write: limit(),
  };
  return async (push) => {
    const { signal, form, tenant, received } = push;
    // What waits for its turn holds what it will be, as far as it says so.
    push.hold(received.length + expectedPlainBytes(push.encoding, received, options.bodyBytesMax));
    const { bytes: plain, isMovable } = await inflations[signal].run(async () => {
      await options.sink.whenRoom?.(signal, push.gone);
      return decode(push, options.bodyBytesMax);
    }, push.gone);
    // Bytes are moved to other threads on their way: their length is zero afterwards.
    const [receivedBytes, plainBytes] = [received.length, plain.length];
    if (plain !== received) freeBytes(received);
    const kind = form.format === undefined ? signal : `${form.format} ${JSON.stringify(form.influx ?? {})}`;
    const ownId = senderIdentity(push.batchId);
    const contentId = ownId ?? contentIdentity(tenant, kind, plain);
    let bytes = plain;
    let conversion: Conversion | undefined;
    if (form.format !== undefined) {
      push.hold(receivedBytes + 2 * plainBytes);
      conversion = await options.pool.convert({
        format: form.format,
        bytes: plain,
        nowUnixNano: options.now(),
        bytesMax: options.bodyBytesMax,
        ...(form.influx === undefined ? {} : { influx: form.influx }),
      });
      push.hold(receivedBytes + conversion.bytes.length);
      bytes = conversion.bytes;
      countRejections(form.format, conversion);
    }
    const batchId = ownId ?? (conversion?.isClocked === true ? clockedIdentity() : contentId);
    const delivery =
      bytes.length === 0
        ? nothing
        : await options.sink({
            signal,
            tenant,
            batchId,
            key: `${tenant}/${batchId}`,
            bytes,
            isMovable: isMovable && bytes === plain,
          });
    byteCounter.add(plainBytes, { signal });
    return outcomeOf(delivery, conversion);
  };
}

/** A body of no bytes is in no encoding: in protobuf it is a request without records. */
async function decode({ received, encoding, form, hold }: Push, bytesMax: number): Promise<PlainContent> {
  if (received.length === 0) return { bytes: received, isMovable: false };
  return decodeContent(received, encoding ?? form.encodingDefault, bytesMax, hold);
}

function outcomeOf(delivery: Delivery, conversion: Conversion | undefined): PushOutcome {
  const rejections = conversion?.rejections ?? [];
  const reasons = [...rejections.map(({ message }) => message), delivery.reason];
  return {
    ...delivery,
    rejected: rejections.reduce((total, { count }) => total + count, delivery.rejected),
    reason: reasons.filter((reason) => reason !== '').join('; '),
    ignored: conversion?.ignored ?? 0,
  };
}
