/** StatsD and DogStatsD, from applications of the node. */
import { z } from 'zod';
import { countSchema, type OptionValues, option } from '#model/config/option.ts';
import { listenAddressSchema } from './listen-address.ts';

/** statsd_exporter's, which are those of Prometheus's client libraries: seconds. */
const bucketsDefault = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const statsdOptions = {
  'statsd.udp_address': option(
    listenAddressSchema,
    '',
    'host:port for StatsD over UDP, such as 127.0.0.1:8125. Empty: off.',
  ),
  'statsd.tcp_address': option(listenAddressSchema, '', 'host:port for StatsD over TCP. Empty: off.'),
  'statsd.interval_ms': option(countSchema, 10_000, 'How often the totals are sent.'),
  'statsd.stale_ms': option(countSchema, 300_000, 'A series without lines for so long ends.'),
  'statsd.series_max': option(
    countSchema,
    100_000,
    'Series at a time, each bucket of a histogram one; lines of further ones are counted as series_limit.',
  ),
  'statsd.set_members_max': option(countSchema, 10_000, 'Different members of a set in one interval.'),
  'statsd.buckets': option(
    z
      .array(z.number())
      .min(1)
      .max(100)
      .refine((bounds) => bounds.every((bound, index) => index === 0 || bound > bounds[index - 1]!), {
        error: 'expected bounds that grow',
      }),
    bucketsDefault,
    'Upper bounds of histogram buckets; timers are in seconds.',
  ),
  'statsd.line_bytes_max': option(countSchema, 8192, 'A longer line is left out and counted.'),
  'statsd.connections_max': option(countSchema, 1024, 'TCP connections at a time.'),
  'statsd.idle_timeout_ms': option(
    countSchema,
    3_600_000,
    'A connection without bytes for so long is closed.',
  ),
  'statsd.udp_buffer_bytes': option(
    countSchema,
    4 * 1024 * 1024,
    'Kernel buffer for datagrams; net.core.rmem_max may allow less.',
  ),
  'statsd.inflight_bytes_max': option(
    countSchema,
    16 * 1024 * 1024,
    'Requests that the next station has not taken; over it, an interval is left out: totals go with the next.',
  ),
};

export type StatsdOptions = OptionValues<typeof statsdOptions>;
