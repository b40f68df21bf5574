/** Both listeners of a host that takes telemetry in: HTTP (OTLP and every other push protocol) and OTLP over gRPC. */
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { closeHttpServer, createHttpServer, listen, portError } from '#model/http-server.ts';
import type { Telemetry } from '#model/telemetry.ts';
import type { EnvelopeSink } from '../envelope.ts';
import { startGrpcReceiver } from './grpc-receiver.ts';
import { refuseOtherMethods, registerHttpReceiver } from './http-receiver.ts';
import { allRoutes } from './push-routes.ts';

export interface ReceiversOptions {
  readonly sink: EnvelopeSink;
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly bodyBytesMax: number;
  readonly inflightBytesMax: number;
  readonly log: FastifyBaseLogger;
  readonly telemetry: Pick<Telemetry, 'serveMetrics'>;
  /** Adds routes that the HTTP listener has besides, in a scope of their own. */
  readonly moreRoutes?: (scope: FastifyInstance) => void;
  readonly unready: () => readonly string[] | Promise<readonly string[]>;
}

export interface Receivers {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** Stops listening and lets requests under way be answered; after `graceMs` it cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Throws ConfigError where a port cannot be had; nothing listens then. */
export async function startReceivers(options: ReceiversOptions): Promise<Receivers> {
  const app = createHttpServer(options);
  await app.register((scope, _options, done) => {
    registerHttpReceiver(scope, { ...options, routes: allRoutes });
    done();
  });
  await app.register((scope, _options, done) => {
    options.moreRoutes?.(scope);
    done();
  });
  await app.register((scope, _options, done) => {
    refuseOtherMethods(scope, allRoutes);
    done();
  });
  const httpPort = await listen(app, {
    host: options.host,
    port: options.httpPort,
    name: 'the OTLP/HTTP receiver',
    flag: '--otlp-http-port',
  });
  const grpc = await startGrpcReceiver({
    sink: options.sink,
    host: options.host,
    port: options.grpcPort,
    bodyBytesMax: options.bodyBytesMax,
    inflightBytesMax: options.inflightBytesMax,
  }).catch(async (error: unknown) => {
    await app.close();
    throw portError(error, {
      host: options.host,
      port: options.grpcPort,
      name: 'the OTLP/gRPC receiver',
      flag: '--otlp-grpc-port',
    });
  });
  return {
    httpUrl: `http://${options.host}:${httpPort}`,
    grpcAddress: `${options.host}:${grpc.port}`,
    async close(graceMs) {
      await Promise.all([closeHttpServer(app, graceMs), grpc.close(graceMs)]);
    },
  };
}
