/** Sonde's own telemetry. */
import { z } from 'zod';
import { countSchema, option, urlOrNoneSchema } from './config/option.ts';

export const telemetryOptions = {
  otlp_url: option(
    urlOrNoneSchema,
    '',
    "Where Sonde's own metrics and traces are pushed. Empty: this process's receiver.",
  ),
  is_pushed: option(
    z.boolean(),
    true,
    'Push own telemetry under the tenant `sonde`. /metrics is served either way.',
  ),
  interval_ms: option(countSchema, 15_000, 'Time between two pushes of own metrics.'),
  log_level: option(
    z.enum(['debug', 'info', 'warn', 'error']),
    'info',
    "Least severe of Sonde's own log lines.",
  ),
};
