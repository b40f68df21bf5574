/** Every section of the configuration file. */
import { agentOptions } from '#agent/agent-options.ts';
import { collectorOptions } from '#collector/collector-options.ts';
import type { Config } from '#model/config/load.ts';
import { receiveOptions, storeOptions, telemetryOptions, transportOptions } from '#model/options.ts';
import { apiOptions, queryOptions, rulesOptions } from '#query/query-options.ts';

export const configTables = {
  agent: agentOptions,
  receive: receiveOptions,
  transport: transportOptions,
  collector: collectorOptions,
  store: storeOptions,
  api: apiOptions,
  query: queryOptions,
  rules: rulesOptions,
  telemetry: telemetryOptions,
} as const;

export type SondeConfig = Config<typeof configTables>;
