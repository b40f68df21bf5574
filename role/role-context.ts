/** What every part of a role is given. */
import type { Logger } from 'pino';
import type { Telemetry } from '#model/telemetry.ts';
import type { SondeConfig } from './config-tables.ts';

export interface RoleContext {
  readonly config: SondeConfig;
  readonly version: string;
  readonly node: string;
  /** The variables of the process: what is no option of ours, such as where a pod's API server is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}
