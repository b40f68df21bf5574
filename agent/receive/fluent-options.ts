/** Fluent's forward protocol: Docker's fluentd log driver, Fluent Bit, Fluentd. */
import { z } from 'zod';
import { countSchema, type OptionValues, option, secretOption } from '#model/config/option.ts';
import { listenAddressSchema } from './listen-address.ts';

export const fluentOptions = {
  'fluent.tcp_address': option(
    listenAddressSchema,
    '',
    "host:port for Fluent's forward protocol, such as 127.0.0.1:24224; UDP heartbeats are answered there, too. Empty: off.",
  ),
  'fluent.tls_address': option(listenAddressSchema, '', 'host:port for the same over TLS. Empty: off.'),
  'fluent.tls_certificate_path': option(
    z.string(),
    '',
    "PEM file of the TLS listener's certificate and its chain.",
  ),
  'fluent.tls_key_path': option(z.string(), '', "PEM file of the TLS certificate's key."),
  'fluent.tls_client_ca_path': option(
    z.string(),
    '',
    'PEM file of authorities; senders must then have a certificate of one. Empty: any sender.',
  ),
  'fluent.shared_key': secretOption(
    z.string(),
    '',
    'Senders must know it (shared_key of Fluentd, Shared_Key of Fluent Bit). Empty: none is asked for.',
  ),
  'fluent.body_keys': option(
    z.array(z.string().min(1)),
    ['log', 'message'],
    'The first key of a record that is one of these, and holds text, is the body.',
  ),
  'fluent.message_bytes_max': option(
    countSchema,
    16 * 1024 * 1024,
    'Largest message, before and after decompression; a connection with a larger one is closed.',
  ),
  'fluent.connections_max': option(countSchema, 1024, 'TCP connections at a time, and TLS ones.'),
  'fluent.idle_timeout_ms': option(
    countSchema,
    3_600_000,
    'A connection without bytes for so long is closed.',
  ),
  'fluent.flush_interval_ms': option(
    countSchema,
    500,
    'Single events (Docker) are sent at this age, however few they are.',
  ),
  'fluent.inflight_bytes_max': option(
    countSchema,
    32 * 1024 * 1024,
    'Requests that the next station has not taken; over it, connections are not read.',
  ),
};

export type FluentOptions = OptionValues<typeof fluentOptions>;
