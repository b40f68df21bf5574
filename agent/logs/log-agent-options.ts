/**
 * What the log agent is started with.
 */
import { ConfigError } from '#model/errors.ts';
import type { Transport } from '#wire/envelope.ts';
import type { LogProcessors } from '../processors/log-processors.ts';
import { multilineFault } from './frame/record-join.ts';
import type { AgentLog, LossLedger } from './loss-ledger.ts';
import type { ReadFrom } from './tail/file-set.ts';
import type { FileRules, LogOrigins } from './tail/log-source.ts';

export interface LogAgentOptions {
  /** Files to follow (see file-glob.ts). The first glob that names a file gives it its path. */
  readonly globs: readonly string[];
  readonly transport: Transport;
  readonly tenant: string;
  /** The checkpoint file. One agent only may use it. */
  readonly checkpointPath: string;
  /** This machine's name: becomes host.name and a part of the partition key. */
  readonly node: string;
  readonly log: AgentLog;
  /** Largest request, uncompressed; only a single record may exceed it. */
  readonly batchBytesMax?: number;
  readonly flushIntervalMs?: number;
  readonly discoverIntervalMs?: number;
  readonly pollIntervalMs?: number;
  /** Longest body of a record: a longer one is split into several records, nothing is dropped. */
  readonly lineBytesMax?: number;
  /** How long the last line of a file waits for lines that belong to it, such as a stack trace. */
  readonly joinWaitMs?: number;
  /** How lines are joined into records, where a container says nothing else: see frame/record-join.ts. */
  readonly multiline?: string;
  /** Bytes a second that a file may grow by, where a container says nothing else; 0 for no limit. */
  readonly rateLimitBytes?: number;
  /** Knows who writes the files, with the rules for those of whom nothing else is said. */
  readonly origins?: ((rules: FileRules, ledger: LossLedger) => LogOrigins) | undefined;
  /** Partition keys that this agent spreads its files over. */
  readonly lanes?: number;
  /** Batches that are sent and not confirmed: reading stops there. */
  readonly maxInFlight?: number;
  /** For the files that are there when an agent starts without a checkpoint; later ones are read from the beginning. */
  readonly readFrom?: ReadFrom;
  /** How long a rotated or deleted file must stand still before it is closed. */
  readonly rotatedQuietMs?: number;
  /** What records go through before they are sent. The caller stops them after the agent. */
  readonly processors?: LogProcessors | undefined;
}

/** Kafka refuses messages above its message.max.bytes (1 MiB as shipped), counted after compression. */
const batchBytesMaxDefault = 1024 * 1024;

/**
 * Sixteen times the 16 KiB at which container runtimes cut lines, and a quarter of a batch: a whole JSON dump fits, and
 * one runaway line cannot make a request that the next station refuses.
 */
const lineBytesMaxDefault = 256 * 1024;

/** Writers keep a renamed file open until they are told to reopen: logrotate and kubelet do so within seconds. */
const rotatedQuietMsDefault = 30_000;

export type LogAgentSettings = Required<Omit<LogAgentOptions, 'processors'>> &
  Pick<LogAgentOptions, 'processors'>;

/** Fills in the defaults. Throws ConfigError for a value out of range. */
export function resolveLogAgentOptions(options: LogAgentOptions): LogAgentSettings {
  const settings = {
    batchBytesMax: batchBytesMaxDefault,
    flushIntervalMs: 500,
    discoverIntervalMs: 1000,
    pollIntervalMs: 250,
    lineBytesMax: lineBytesMaxDefault,
    joinWaitMs: 500,
    multiline: 'auto',
    rateLimitBytes: 0,
    origins: undefined,
    lanes: 1,
    maxInFlight: 4,
    readFrom: 'beginning',
    rotatedQuietMs: rotatedQuietMsDefault,
    ...definedOnly(options),
  } as LogAgentSettings;
  for (const name of ['batchBytesMax', 'lineBytesMax', 'discoverIntervalMs', 'pollIntervalMs'] as const) {
    requireWhole(name, settings[name], 1);
  }
  const fault = multilineFault(settings.multiline);
  if (fault !== '') throw new ConfigError(`log agent option multiline: ${fault}`);
  requireWhole('rateLimitBytes', settings.rateLimitBytes, 0);
  requireWhole('flushIntervalMs', settings.flushIntervalMs, 0);
  requireWhole('joinWaitMs', settings.joinWaitMs, 0);
  requireWhole('rotatedQuietMs', settings.rotatedQuietMs, 0);
  requireWhole('lanes', settings.lanes, 1);
  requireWhole('maxInFlight', settings.maxInFlight, 1);
  return settings;
}

function definedOnly(options: LogAgentOptions): Partial<LogAgentOptions> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function requireWhole(name: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new ConfigError(`log agent option ${name} is ${value}: give a whole number from ${min} up`);
}
