/** Every section of the configuration file. */
import { agentOptions } from '#agent/agent-options.ts';
import { collectorOptions } from '#collector/collector-options.ts';
import type { Config } from '#model/config/load.ts';
import { telemetryOptions } from '#model/telemetry-options.ts';
import { apiOptions, queryOptions, rulesOptions } from '#query/query-options.ts';
import { storeOptions } from '#store/store-options.ts';
import { receiveOptions } from '#wire/receive/receive-options.ts';
import { transportOptions } from '#wire/transport-options.ts';

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
