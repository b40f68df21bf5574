/** The query API, rules and scaling signals. */
import { z } from 'zod';
import { countSchema, option, portSchema } from '#model/config/option.ts';

export const apiOptions = {
  host: option(z.string(), '127.0.0.1', 'Address of the query API and the status page.'),
  port: option(portSchema, 4319, 'Port of the query API. 0 picks a free port.'),
  external_url: option(
    z.string(),
    '',
    'How people reach the API, for links in alerts. Empty: the listening address.',
  ),
  admin: option(
    z.boolean(),
    false,
    "Lets whoever reaches the API delete series and start backups on Prometheus's paths.",
  ),
};

export const queryOptions = {
  series_max: option(countSchema, 200_000, 'Series that one query may read.'),
  samples_max: option(countSchema, 50_000_000, 'Samples that one query may read.'),
  bytes_max: option(
    countSchema,
    32_000_000_000,
    'Bytes of metrics that one query may read from the store: of each statement, uncompressed, and of what all hand over.',
  ),
  push_down: option(
    z.enum(['exact', 'approximate', 'off']),
    'exact',
    'What ClickHouse may compute of a PromQL query: what is equal to the last bit; on a server also rate, increase, delta, irate, and sums and means of series, which differ by rounding; or nothing. See docs/query-execution.md.',
  ),
  steps_max: option(countSchema, 11_000, 'Steps of a range query.'),
  timeout_ms: option(countSchema, 120_000, 'A query that runs longer is stopped.'),
  concurrency: option(countSchema, 20, 'Queries that run at once; others wait.'),
  lookback_ms: option(countSchema, 300_000, 'How far an instant selector looks back for a sample.'),
  start_timestamps: option(
    z.boolean(),
    false,
    "Functions of counters use the times since when they count, as Prometheus's feature use-start-timestamps.",
  ),
  entries_max: option(countSchema, 5000, 'Log lines that one query may return.'),
};

export const rulesOptions = {
  evaluation_interval_ms: option(countSchema, 60_000, 'Interval of rule groups that state none.'),
  webhooks: option(z.array(z.url()), [], "Webhooks that receive alerts in Alertmanager's JSON."),
  alertmanagers: option(z.array(z.url()), [], 'Alertmanager base URLs (API v2).'),
};
