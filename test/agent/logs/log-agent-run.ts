/** Starts log agents on a temporary directory, with short intervals, and stops what a test left running. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { type LogAgent, startLogAgent } from '#agent/logs/log-agent.ts';
import type { LogAgentOptions } from '#agent/logs/log-agent-options.ts';
import { RecordingTransport } from './recording-transport.ts';

const running: LogAgent[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const agent of running.splice(0)) await agent.stop({ drainMs: 0 });
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-logs-'));
  directories.push(directory);
  return directory;
}

/** Log lines of the agent, as text, for tests that look at them. */
export const agentLog: string[] = [];
const log = {
  info: (fields: object, message: string) => agentLog.push(`info ${message} ${JSON.stringify(fields)}`),
  warn: (fields: object, message: string) => agentLog.push(`warn ${message} ${JSON.stringify(fields)}`),
  error: (fields: object, message: string) => agentLog.push(`error ${message} ${JSON.stringify(fields)}`),
};

export interface AgentRun {
  readonly agent: LogAgent;
  readonly transport: RecordingTransport;
}

/** Follows *.log below `directory`, unless told otherwise. */
export function startAgent(directory: string, options: Partial<LogAgentOptions> = {}): AgentRun {
  const transport = (options.transport as RecordingTransport | undefined) ?? new RecordingTransport();
  const agent = startLogAgent({
    globs: [join(directory, '*.log')],
    tenant: 'acme',
    checkpointPath: join(directory, 'state', 'logs.json'),
    node: 'node-1',
    log,
    flushIntervalMs: 20,
    discoverIntervalMs: 20,
    pollIntervalMs: 10,
    joinWaitMs: 40,
    rotatedQuietMs: 200,
    ...options,
    transport,
  });
  running.push(agent);
  return { agent, transport };
}

/** Polls until the condition holds. Fails with `what` after ten seconds. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let count = 0; count < 2000; count++) {
    if (isTrue()) return;
    await delay(5);
  }
  throw new Error(`waited in vain until ${what}`);
}

/** 'line 1\n' ... for a range of numbers. */
export function numberedLines(from: number, to: number, name = 'line'): string {
  let text = '';
  for (let index = from; index <= to; index++) text += `${name} ${index}\n`;
  return text;
}

export function numberedBodies(from: number, to: number, name = 'line'): string[] {
  return numberedLines(from, to, name).trimEnd().split('\n');
}
