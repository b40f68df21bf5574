/**
 * Fluent's forward protocol becomes OTLP logs, and is acknowledged when the transport has them.
 *
 *   ['docker.web', time, {"log": "hi"}, {"chunk": "abc"}]  ->  a record; later {"ack": "abc"}
 *
 * A chunk of many events is a request of its own, whose batch id is made of its bytes: a client that repeats it lands it
 * once. Single events are gathered with those of others; a repeated one may land twice.
 */
import { createHash } from 'node:crypto';
import { encode } from '@msgpack/msgpack';
import { DecodeError, errorMessage } from '#model/errors.ts';
import { writeFluentRecord } from '#wire/fluent/fluent-record.ts';
import type { ValueTally } from '#wire/fluent/fluent-value.ts';
import { type ForwardMessage, readForwardMessage } from '#wire/fluent/forward-message.ts';
import { MessageFraming } from '#wire/fluent/message-framing.ts';
import { MsgpackCursor } from '#wire/fluent/msgpack-cursor.ts';
import { LogBatch } from '#wire/otlp/log-batch.ts';
import { startDatagramServer } from './datagram-server.ts';
import { FluentHandshake } from './fluent-handshake.ts';
import type { FluentOptions } from './fluent-options.ts';
import { parseListenAddress } from './listen-address.ts';
import { LogGatherer } from './log-gatherer.ts';
import { Outlet } from './outlet.ts';
import { addStreams, type Receiver, type ReceiverContext, startServers } from './receiver.ts';
import type { StreamPeer, StreamReader } from './stream-server.ts';

/** Heartbeats are a byte each. */
const heartbeatBufferBytes = 64 * 1024;
const heartbeat = Uint8Array.of(0);

/** Returns undefined where no address is set. Throws ConfigError where one cannot be listened on. */
export async function startFluentReceiver(
  options: FluentOptions,
  context: ReceiverContext,
): Promise<Receiver | undefined> {
  const tcp = parseListenAddress(options['fluent.tcp_address']);
  const tls = parseListenAddress(options['fluent.tls_address']);
  if (tcp === undefined && tls === undefined) return undefined;
  const { counts, log } = context;
  const outlet = new Outlet({ ...context, inflightBytesMax: options['fluent.inflight_bytes_max'] });
  const gatherer = new LogGatherer({
    outlet,
    batchBytesMax: context.batchBytesMax,
    flushIntervalMs: options['fluent.flush_interval_ms'],
  });
  const intake = new FluentIntake(options, context, outlet, gatherer);
  const servers = await startServers(async (starting) => {
    await addStreams(starting, {
      tcp,
      tls,
      optionPrefix: 'agent.fluent',
      tlsFiles: {
        certificatePath: options['fluent.tls_certificate_path'],
        keyPath: options['fluent.tls_key_path'],
        clientAuthorityPath: options['fluent.tls_client_ca_path'],
      },
      connectionsMax: options['fluent.connections_max'],
      idleTimeoutMs: options['fluent.idle_timeout_ms'],
      open: (peer) => intake.open(peer),
      outlet,
      counts,
      log,
    });
    const address = starting.addresses.tcp;
    if (address === undefined) return;
    starting.add(
      await startDatagramServer({
        address,
        bufferBytes: heartbeatBufferBytes,
        dropReason: () => undefined,
        take: (_, __, answer) => answer(heartbeat),
        counts,
        log,
      }),
    );
  });
  return {
    addresses: servers.addresses,
    async stop(drainMs) {
      await servers.stop();
      gatherer.flush();
      await outlet.stop(drainMs);
    },
  };
}

class FluentIntake {
  readonly #options: FluentOptions;
  readonly #context: ReceiverContext;
  readonly #outlet: Outlet;
  readonly #gatherer: LogGatherer;
  readonly #bodyKeys: readonly Buffer[];
  readonly #chunkBatch = new LogBatch();
  readonly #cursor = new MsgpackCursor();

  constructor(options: FluentOptions, context: ReceiverContext, outlet: Outlet, gatherer: LogGatherer) {
    this.#options = options;
    this.#context = context;
    this.#outlet = outlet;
    this.#gatherer = gatherer;
    this.#bodyKeys = options['fluent.body_keys'].map((key) => Buffer.from(key));
  }

  open(peer: StreamPeer): StreamReader {
    const sharedKey = this.#options['fluent.shared_key'];
    let handshake = sharedKey === '' ? undefined : new FluentHandshake(sharedKey, this.#context.node);
    const framing = new MessageFraming(this.#options['fluent.message_bytes_max'], (bytes, from, to) => {
      if (handshake === undefined) {
        this.#take(bytes, from, to, peer);
        return;
      }
      const { pong, isAccepted } = handshake.answer(bytes.subarray(from, to));
      peer.write(pong);
      if (!isAccepted) throw new DecodeError('the client does not know the shared key', from);
      handshake = undefined;
    });
    if (handshake !== undefined) peer.write(handshake.hello());
    return framing;
  }

  #take(bytes: Buffer, from: number, to: number, peer: StreamPeer): void {
    const { counts } = this.#context;
    const cursor = this.#cursor;
    cursor.begin(bytes, from, to);
    const message = readForwardMessage(cursor, this.#options['fluent.message_bytes_max']);
    if (message === undefined) return;
    counts.receivedBytes += to - from;
    const { chunk } = message;
    let settled: Promise<boolean>;
    if (message.signal !== 0) {
      // Nothing would become of a repeat either.
      counts.addDropped('unsupported_signal');
      settled = Promise.resolve(true);
    } else if (message.mode === 'message' || chunk === undefined) {
      settled = this.#gather(message, chunk !== undefined);
    } else {
      const hash = createHash('sha256').update(`${chunk}\n`).update(bytes.subarray(from, to));
      settled = this.#sendChunk(message, hash.digest('base64url'));
    }
    if (chunk === undefined) return;
    void settled.then((isSettled) => {
      // What was not settled is not answered: the client repeats it. What was refused for good would be so again.
      if (isSettled) peer.write(encode({ ack: chunk }));
    });
  }

  /** Adds the events to those of others. Where the answer is asked for, resolves when they are settled. */
  #gather(message: ForwardMessage, isAnswered: boolean): Promise<boolean> {
    const settled: Promise<boolean>[] = [];
    this.#readEvents(message, this.#gatherer.batch, () => {
      if (isAnswered) settled.push(this.#gatherer.whenSettled());
      this.#gatherer.added();
    });
    return Promise.all(settled).then((all) => all.every((isSettled) => isSettled));
  }

  /** Sends the events in requests of their own, the same ones for the same bytes. */
  async #sendChunk(message: ForwardMessage, hash: string): Promise<boolean> {
    const batch = this.#chunkBatch;
    const sends: Promise<boolean>[] = [];
    const send = (): void => {
      if (batch.count === 0) return;
      const records = batch.count;
      const id = `fluent/${hash}/${sends.length}`;
      sends.push(this.#outlet.send('logs', batch.finish(), records, id));
    };
    this.#readEvents(message, batch, () => {
      if (batch.bytes >= this.#context.batchBytesMax) send();
    });
    send();
    return (await Promise.all(sends)).every((isSettled) => isSettled);
  }

  /** Events behind one that makes no sense are lost, and counted as one: nobody knows where they begin. */
  #readEvents(message: ForwardMessage, batch: LogBatch, onRecord: () => void): void {
    const { counts, log } = this.#context;
    const { mode, bytes, from, to, tag, count } = message;
    const cursor = this.#cursor;
    cursor.begin(bytes, from, to);
    const tally: ValueTally = { repaired: 0, keysLost: 0 };
    const tagText = Buffer.from(tag.toString('utf8'));
    try {
      for (let index = 0; count < 0 ? cursor.position < to : index < count; index++) {
        if (mode !== 'message' && (cursor.read() !== 'array' || cursor.count < 2)) {
          throw new DecodeError('expected an entry as [time, record]', cursor.position);
        }
        const extra = mode === 'message' ? 0 : cursor.count - 2;
        const writer = batch.records();
        const start = writer.position;
        writeFluentRecord(writer, cursor, tagText, this.#bodyKeys, tally);
        for (let left = extra; left > 0; left--) cursor.skip();
        counts.received++;
        batch.added(writer.position - start);
        onRecord();
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      counts.addDropped('malformed');
      log.warn({ tag: String(tagText), reason: errorMessage(error) }, 'events of a client make no sense');
    }
    counts.repaired += tally.repaired;
    if (tally.keysLost > 0) counts.addDropped('attribute_key', tally.keysLost);
  }
}
