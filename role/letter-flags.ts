/** The flags of `sonde dead-letters`, as text and as what they mean. Throws ConfigError on what means nothing. */
import type { LetterFilter } from '#collector/kafka/letter-listing.ts';
import { durationMs, durationSchema } from '#model/config/option.ts';
import { ConfigError } from '#model/errors.ts';

export interface LetterFlags {
  readonly reason?: string;
  readonly tenant?: string;
  readonly sourceTopic?: string;
  readonly since?: string;
  readonly until?: string;
  readonly range?: string;
  readonly limit?: string;
  readonly before?: string;
  readonly replayed?: boolean;
  readonly pending?: boolean;
  readonly json?: boolean;
  readonly raw?: boolean;
  readonly lines?: string;
  readonly all?: boolean;
  readonly again?: boolean;
  readonly dryRun?: boolean;
  readonly replaysMax?: string;
  readonly to?: string;
}

/** An address in the topic of letters: partition and offset. */
export interface LetterAddress {
  readonly partition: number;
  readonly offset: number;
}

export function letterFilter(flags: LetterFlags, partitionCount: number, nowMs = Date.now()): LetterFilter {
  if (flags.replayed === true && flags.pending === true) {
    throw new ConfigError('--replayed and --pending leave no letter: give one of them');
  }
  return {
    reason: flags.reason,
    tenant: flags.tenant,
    sourceTopic: flags.sourceTopic,
    sinceMs: time('since', flags.since, nowMs),
    untilMs: time('until', flags.until, nowMs),
    range: flags.range === undefined ? undefined : parseLetterRange(flags.range, partitionCount),
    isReplayed: flags.replayed === true ? true : flags.pending === true ? false : undefined,
  };
}

/** `3/17`, or `17` where the topic has one partition. */
export function parseLetterAddress(text: string, partitionCount: number): LetterAddress {
  const match = /^(?:(\d{1,6})\/)?(\d{1,15})$/.exec(text);
  if (match === null || (match[1] === undefined && partitionCount > 1)) {
    throw new ConfigError(
      `${JSON.stringify(text)} is no letter: give partition/offset, such as 3/17, as list shows it`,
    );
  }
  const partition = Number(match[1] ?? 0);
  if (partition >= partitionCount) {
    throw new ConfigError(`the topic of letters has ${partitionCount} partitions, so there is no ${text}`);
  }
  return { partition, offset: Number(match[2]) };
}

/** `3/17-40`: offsets of one partition, both included. */
export function parseLetterRange(text: string, partitionCount: number): NonNullable<LetterFilter['range']> {
  const match = /^(.+)-(\d{1,15})$/.exec(text);
  if (match === null) {
    throw new ConfigError(`${JSON.stringify(text)} is no range of letters: give one such as 3/17-40`);
  }
  const { partition, offset: first } = parseLetterAddress(match[1]!, partitionCount);
  const last = Number(match[2]);
  if (last < first) throw new ConfigError(`the range ${text} ends before it begins`);
  return { partition, first, last };
}

export function countFlag(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) {
    throw new ConfigError(`--${name} must be a number from 1 on, not ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** A duration before now, or a time as ISO 8601 has it. */
function time(name: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (durationSchema.safeParse(text).success) return nowMs - durationMs(text);
  const unixMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(unixMs)) {
    throw new ConfigError(
      `--${name} must be a duration such as 2h, or a time such as 2026-01-31T12:00:00Z, not ${JSON.stringify(text)}`,
    );
  }
  return unixMs;
}
