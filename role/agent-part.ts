/** The agent in a process: its sources (files, targets, the host, pushed telemetry) and the transport they share. */
import { join } from 'node:path';
import { observeAgent } from '#agent/agent-metrics.ts';
import { startContainers } from '#agent/containers/start-containers.ts';
import { countBuffersWithHeap } from '#model/buffer-accounting.ts';
import { startLogs, tailBanner } from './agent-logs.ts';
import {
  measureContainers,
  type ScrapedTargets,
  scrapeBanner,
  startHost,
  startScraping,
} from './agent-metrics.ts';
import { listenForForeign, listenForPushes } from './agent-receive.ts';
import { openBuffer, openTransport } from './agent-transport.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';
import { renderBytes } from './status-line.ts';

export interface AgentPart {
  readonly targets: ScrapedTargets;
  readonly banner: readonly string[];
  statusLine(): string;
  summary(): string;
}

/** `ownReceiver` is the receiver of a collector in this process; undefined makes the agent listen by itself. */
export async function startAgentPart(
  context: RoleContext,
  ownReceiver: string | undefined,
  parts: Parts,
): Promise<AgentPart> {
  countBuffersWithHeap();
  const transport = await openTransport(context, ownReceiver);
  // Files are their own buffer: what is read from them is sent as it is.
  const buffered = openBuffer(context, transport);
  parts.add('transport', () => buffered.close());
  let targets: ScrapedTargets | undefined;
  const receives =
    ownReceiver === undefined ? await listenForPushes(context, buffered, () => targets, parts) : [];
  receives.push(...(await listenForForeign(context, buffered, parts)));
  // `npm run demo` puts its simulated containers below the data directory.
  const demoPath = join(context.config.store.path, 'demo');
  const directory = await startContainers({
    options: context.config.agent,
    node: context.config.agent.node,
    environment: context.environment,
    log: context.log,
  });
  parts.add('containers', () => directory.stop());
  const { logs, globs } = await startLogs(context, transport, demoPath, directory, parts);
  observeAgent(logs, transport);
  const targetFiles = join(demoPath, 'targets/*.json');
  const scraping = await startScraping(context, buffered, targetFiles, directory.nodePods, parts);
  targets = scraping.targets;
  await startHost(context, buffered, parts);
  await measureContainers(context, buffered, (id) => directory.all().get(id), parts);
  return {
    targets,
    banner: [...receives, ...tailBanner(globs, logs.status()), ...scrapeBanner(scraping.discovery)],
    statusLine() {
      const { bytesRead, lagBytes, files, lost } = logs.status();
      const lostRecords = lost.reduce((total, { records }) => total + records, 0);
      return `read ${renderBytes(bytesRead)} of ${files.length} files  lag ${renderBytes(lagBytes)}  lost ${lostRecords}`;
    },
    summary() {
      const { bytesRead, linesRead, lagBytes } = logs.status();
      return `read ${linesRead} lines (${renderBytes(bytesRead)}), ${renderBytes(lagBytes)} left for the next start`;
    },
  };
}
