/** Syslog from devices, daemons and containers. */
import { z } from 'zod';
import { countSchema, type OptionValues, option } from '#model/config/option.ts';
import { listenAddressSchema } from './listen-address.ts';

export const syslogOptions = {
  'syslog.udp_address': option(
    listenAddressSchema,
    '',
    'host:port for syslog over UDP (RFC 5426), such as 0.0.0.0:514. Empty: off.',
  ),
  'syslog.tcp_address': option(
    listenAddressSchema,
    '',
    'host:port for syslog over TCP (RFC 6587, either framing). Empty: off.',
  ),
  'syslog.tls_address': option(
    listenAddressSchema,
    '',
    'host:port for syslog over TLS (RFC 5425). Empty: off.',
  ),
  'syslog.tls_certificate_path': option(
    z.string(),
    '',
    "PEM file of the TLS listener's certificate and its chain.",
  ),
  'syslog.tls_key_path': option(z.string(), '', "PEM file of the TLS certificate's key."),
  'syslog.tls_client_ca_path': option(
    z.string(),
    '',
    'PEM file of authorities; senders must then have a certificate of one. Empty: any sender.',
  ),
  'syslog.time_zone': option(
    z.string().min(1),
    'UTC',
    'IANA zone of RFC 3164 times, which name none; `local` is the zone of this process.',
  ),
  'syslog.message_bytes_max': option(
    countSchema,
    64 * 1024,
    'A longer message keeps its head; its tail is counted as lost.',
  ),
  'syslog.connections_max': option(countSchema, 1024, 'TCP connections at a time, and TLS ones.'),
  'syslog.idle_timeout_ms': option(
    countSchema,
    3_600_000,
    'A connection without bytes for so long is closed.',
  ),
  'syslog.udp_buffer_bytes': option(
    countSchema,
    4 * 1024 * 1024,
    'Kernel buffer for datagrams; net.core.rmem_max may allow less.',
  ),
  'syslog.flush_interval_ms': option(countSchema, 500, 'Records are sent at this age, however few they are.'),
  'syslog.inflight_bytes_max': option(
    countSchema,
    32 * 1024 * 1024,
    'Requests that the next station has not taken; over it, streams are not read and datagrams dropped.',
  ),
};

export type SyslogOptions = OptionValues<typeof syslogOptions>;
