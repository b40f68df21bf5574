/** What every part of a role is given. */
import type { Logger } from 'pino';
import type { Telemetry } from '#model/telemetry.ts';
import type { SondeConfig } from './config-tables.ts';

export interface RoleContext {
  readonly config: SondeConfig;
  readonly version: string;
  readonly node: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}
