/** What an agent tails. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerDirectory } from '#agent/containers/container-facts.ts';
import { type LogAgent, type LogAgentStatus, startLogAgent } from '#agent/logs/log-agent.ts';
import { ContainerOrigins } from '#agent/logs/resource/container-origins.ts';
import { createLogProcessors } from '#agent/processors/log-processors.ts';
import type { Transport } from '#wire/envelope.ts';
import { batchBytesMax } from './agent-transport.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

/** What was read and not acknowledged has this long to get through when the process stops. */
const drainMs = 10_000;
/** The banner lists the files that are there; a file system that hangs must not keep it back. */
const firstLookMsMax = 2000;

/** Starts following, and waits for the first look at the files. `demoPath`: where `npm run demo` puts its containers. */
export async function startLogs(
  { config, log, node }: RoleContext,
  transport: Transport,
  demoPath: string,
  directory: ContainerDirectory,
  parts: Parts,
): Promise<{ readonly logs: LogAgent; readonly globs: readonly string[] }> {
  const options = config.agent;
  const statePath = options.state_path || join(config.store.path, 'agent');
  mkdirSync(statePath, { recursive: true });
  const globs = [
    ...options['logs.globs'],
    ...options['logs.extra_globs'],
    join(demoPath, 'var/log/pods/*/*/*.log'),
    join(demoPath, 'var/lib/docker/containers/*/*-json.log'),
  ];
  const processors = await createLogProcessors(options['logs.processors'], {
    transport,
    tenant: options.tenant,
    node,
    log,
    metricsIntervalMs: options['logs.metrics_interval_ms'],
    batchBytesMax: batchBytesMax(config),
    directory: process.cwd(),
  });
  parts.add('log processors', () => processors.stop({ drainMs }));
  const logs = startLogAgent({
    globs,
    transport,
    tenant: options.tenant,
    checkpointPath: join(statePath, 'checkpoint.json'),
    node,
    batchBytesMax: batchBytesMax(config),
    flushIntervalMs: options['logs.flush_interval_ms'],
    discoverIntervalMs: options['logs.discover_interval_ms'],
    multiline: options['logs.multiline'],
    rateLimitBytes: options['logs.rate_limit_bytes'],
    origins: (rules, ledger) =>
      new ContainerOrigins({ directory, rules, ledger, hostPath: options['containers.host_path'] }),
    log,
    processors,
  });
  parts.add('log agent', () => logs.stop({ drainMs }));
  await Promise.race([logs.firstLook, delay(firstLookMsMax, undefined, { ref: false })]);
  return { logs, globs };
}

/** So many names are listed; the status line and /metrics have the totals. */
export const listedMax = 8;

export function tailBanner(globs: readonly string[], { files, problems }: LogAgentStatus): string[] {
  return [
    `  tails     ${files.length} files now, new ones as they come:`,
    ...globs.map((glob) => `            ${glob}`),
    ...files.slice(0, listedMax).map(({ path }) => `            found ${path}`),
    ...(files.length > listedMax ? [`            and ${files.length - listedMax} more`] : []),
    ...problems.map(({ message }) => `            ! ${message}`),
  ];
}
