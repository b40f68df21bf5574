/** Listeners that take telemetry in, on agents and collectors alike. */
import { z } from 'zod';
import { countSchema, option, portSchema } from '#model/config/option.ts';

export const receiveOptions = {
  host: option(z.string(), '127.0.0.1', 'Address to listen on for pushed telemetry.'),
  otlp_http_port: option(
    portSchema,
    4318,
    'OTLP over HTTP, remote write, Loki push, Zipkin and Influx lines. 0 picks a free port.',
  ),
  otlp_grpc_port: option(portSchema, 4317, 'OTLP over gRPC. 0 picks a free port.'),
  body_bytes_max: option(
    countSchema,
    64 * 1024 * 1024,
    'Largest request body, before and after decompression, and after conversion.',
  ),
  inflight_bytes_max: option(
    countSchema,
    256 * 1024 * 1024,
    'Bodies that are received and not yet stored; over it, senders are told to come again (503).',
  ),
};
