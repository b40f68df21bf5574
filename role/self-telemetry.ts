/** Where a role pushes its own telemetry. Imports no part that makes instruments: the SDK starts before those. */
import type { SondeConfig } from './config-tables.ts';
import type { RoleName } from './role-name.ts';

/** Where a role pushes its own telemetry: the configured URL, else its own receiver, else the collector. */
export function selfTelemetryUrl(role: RoleName, config: SondeConfig): string | undefined {
  if (!config.telemetry.is_pushed) return undefined;
  if (config.telemetry.otlp_url !== '') return config.telemetry.otlp_url;
  // A port that is chosen at start is not known yet when the SDK is made.
  if (role !== 'query' && config.receive.otlp_http_port !== 0) {
    return `http://${config.receive.host}:${config.receive.otlp_http_port}`;
  }
  return config.transport.collector_url === '' ? undefined : config.transport.collector_url;
}
