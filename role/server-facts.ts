/** What the status endpoints of Prometheus's API say of this process. */
import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';
import type { OptionTable } from '#model/config/option.ts';
import type { ServerFacts } from '#query/api/prometheus/server-facts.ts';
import { templateFunctions } from '#query/rules/template/functions.ts';
import { configTables, type SondeConfig } from './config-tables.ts';
import type { RoleContext } from './role-context.ts';

export interface ServerFactsOptions {
  /** The server whose /metrics is the process's own. */
  readonly app: FastifyInstance;
  readonly takesPushes: boolean;
  readonly problems: () => readonly string[] | Promise<readonly string[]>;
}

export function createServerFacts({ config, node }: RoleContext, options: ServerFactsOptions): ServerFacts {
  return {
    startedMs: Math.round(performance.timeOrigin),
    hostname: node,
    retention: config.store.retention,
    configYaml: () => stringify(shownConfig(config)),
    flags: () => flagsOf(shownConfig(config)),
    selfMetrics: async () => (await options.app.inject('/metrics')).body,
    alertmanagers: config.rules.alertmanagers,
    templateFunctions: [...templateFunctions.keys()],
    takesPushes: options.takesPushes,
    problems: options.problems,
  };
}

type Shown = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const secretText = '<secret>';
/** Names of fields in nested configuration that hold what nobody else must know. */
const secretName = /password|passphrase|secret|token|credential|authorization/i;

/** Every option by its section, secrets as Prometheus shows them. */
export function shownConfig(config: SondeConfig): Shown {
  const tables: Readonly<Record<string, OptionTable>> = configTables;
  return Object.fromEntries(
    Object.entries(config).map(([section, values]) => [
      section,
      Object.fromEntries(
        Object.entries(values).map(([key, value]) => {
          const isSecret = tables[section]?.[key]?.isSecret ?? false;
          return [key, isSecret && value !== '' ? secretText : withoutSecrets(value)];
        }),
      ),
    ]),
  );
}

function withoutSecrets(value: unknown): unknown {
  // http://user:password@host
  if (typeof value === 'string') return value.replace(/(:\/\/)[^/?#@\s]+@/g, `$1${secretText}@`);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isHidden = secretName.test(name) && typeof inner === 'string' && inner !== '';
      return [name, isHidden ? secretText : withoutSecrets(inner)];
    }),
  );
}

function flagsOf(shown: Shown): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const [section, values] of Object.entries(shown)) {
    for (const [key, value] of Object.entries(values)) {
      flags[`${section}.${key}`] = typeof value === 'string' ? value : JSON.stringify(value);
    }
  }
  return flags;
}
