/**
 * How producers and consumers reach the brokers: one set of options, one kafkajs client, its noise turned down.
 * kafkajs logs every retry as an error; whoever uses the client keeps a visible state instead, so its lines go to debug.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import kafkajs, { type ISocketFactoryArgs, type Kafka, type SASLOptions } from 'kafkajs';
import { patchKafkajs } from './kafkajs-patches.ts';

/** The part of a pino logger that is used here. */
export interface KafkaLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface KafkaClientOptions {
  /** host:port of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** TLS, asked for at each connection; absent: none. */
  readonly tls?: (() => ConnectionOptions) | undefined;
  readonly sasl?: SASLOptions | undefined;
  readonly log: KafkaLog;
}

const connectTimeoutMs = 5000;
const requestTimeoutMs = 30_000;
const keepAliveMs = 60_000;
/** Requests that are written while a connection is being made listen for it; Node warns from the eleventh on. */
const listenersMax = 1000;

/** Returns a client that has not connected yet. kafkajs retries twice and fast; longer waits are the caller's. */
export function createKafka(options: KafkaClientOptions): Kafka {
  patchKafkajs();
  return new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1000 },
    socketFactory: ({ host, port, onConnect }) => openSocket({ host, port, onConnect, ssl: options.tls?.() }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    logLevel: kafkajs.logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, log: { message, error, broker } }) =>
        options.log.debug({ namespace, error, broker }, `kafkajs: ${message}`),
  });
}

/** As kafkajs does it, without Nagle's delay: a commit must not wait for the acknowledgement of what went before. */
function openSocket({
  host,
  port,
  ssl,
  onConnect,
}: Omit<ISocketFactoryArgs, 'ssl'> & { ssl: ConnectionOptions | undefined }): Socket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket =
    ssl === undefined
      ? connectTcp({ host, port }, onConnect)
      : connectTls({ host, port, ...name, ...ssl }, onConnect);
  socket.setMaxListeners(listenersMax);
  socket.setKeepAlive(true, keepAliveMs);
  socket.setNoDelay(true);
  return socket;
}

/** The protocol error's name (`MESSAGE_TOO_LARGE`), or undefined where it is no answer of a broker. */
export function kafkaErrorType(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const type = (cause as { type?: unknown }).type;
    if (typeof type === 'string') return type;
  }
  return undefined;
}
