/**
 * Joins the parts into roles. `up` is agent, collector, store and query in one process; the other roles are the same
 * parts apart. The order of starting is the data's way backwards, so that nothing arrives before there is a taker.
 */
import type { Store } from '#store/store.ts';
import type { AgentPart } from './agent-part.ts';
import type { CollectorPart } from './collector-part.ts';
import type { SondeConfig } from './config-tables.ts';
import { Parts } from './parts.ts';
import type { QueryPart } from './query-part.ts';
import type { RoleContext } from './role-context.ts';
import type { RoleName } from './role-name.ts';
import { renderBytes } from './status-line.ts';

export interface RunningRole {
  /** What a person reads when it is up. */
  readonly banner: readonly string[];
  /** The live line on a terminal. */
  statusLine(): string;
  /** Drains, flushes and lets go; resolves with what was stored. */
  stop(): Promise<string>;
}

/** Throws ConfigError where something that a person can mend stands in the way; nothing is left running then. */
export async function startRole(role: RoleName, context: RoleContext): Promise<RunningRole> {
  const parts = new Parts();
  try {
    return await startParts(role, context, parts);
  } catch (error) {
    await parts.stop().catch((cleanup: unknown) => context.log.error({ cleanup }, 'cleaning up failed'));
    throw error;
  }
}

async function startParts(role: RoleName, context: RoleContext, parts: Parts): Promise<RunningRole> {
  const startedMs = Date.now();
  let store: Store | undefined;
  let collector: CollectorPart | undefined;
  let query: QueryPart | undefined;
  let agent: AgentPart | undefined;
  // Imported as they are needed: an agent must not carry the engine's 190 MB library.
  if (role !== 'agent') {
    const { openStore } = await import('./store-part.ts');
    store = await openStore(context, parts);
  }
  if (store !== undefined && role !== 'query') {
    const { startCollectorPart } = await import('./collector-part.ts');
    collector = await startCollectorPart(context, store, parts);
  }
  if (store !== undefined && role !== 'collector') {
    const { startQueryPart } = await import('./query-part.ts');
    // The agent starts last: until then there is nothing to tell.
    query = await startQueryPart(context, store, collector, () => agent?.targets, parts);
  }
  // Own telemetry is pushed to our own receiver: it must be flushed before that stops listening. An agent's opens later.
  if (role !== 'agent') parts.add('telemetry', () => context.telemetry.shutdown());
  if (role === 'up' || role === 'agent') {
    const { startAgentPart } = await import('./agent-part.ts');
    agent = await startAgentPart(context, collector?.receivers.httpUrl, parts);
  }

  const readyMs = Math.round(process.uptime() * 1000);
  return {
    banner: [
      `sonde ${context.version} ${role} is running`,
      ...(store === undefined ? [] : [storeLine(context.config)]),
      ...(collector?.banner ?? []),
      ...(agent?.banner ?? []),
      ...(query?.banner ?? []),
      `ready in ${readyMs} ms; Ctrl-C drains and stops`,
    ],
    statusLine: () =>
      [agent?.statusLine(), collector?.statusLine()].filter((text) => text !== undefined).join('  '),
    async stop() {
      await parts.stop();
      const seconds = Math.round((Date.now() - startedMs) / 1000);
      const totals = [agent?.summary(), collector?.summary()].filter((text) => text !== undefined);
      return `stopped after ${seconds} s${totals.length > 0 ? `: ${totals.join('; ')}` : ''}, memory at most ${renderBytes(process.resourceUsage().maxRSS * 1024)}`;
    },
  };
}

function storeLine(config: SondeConfig): string {
  const keeps = config.store.retention === '0' ? 'for ever' : config.store.retention;
  return config.store.kind === 'embedded'
    ? `  stores    embedded ClickHouse in ${config.store.path}, kept ${keeps}`
    : `  stores    ClickHouse at ${config.store.url}, kept ${keeps}`;
}
