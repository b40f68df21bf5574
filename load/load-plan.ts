/**
 * What `sonde load` was asked to do: command line flags as a plan, or the first thing that is wrong with them.
 *
 *   --seconds 30 --rate 1000 --otlp http://127.0.0.1:4318  ->  { pace: { ratePerSecond: 1000, seconds: 30 }, otlpUrl, ... }
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { type LogFormat, logFormats } from './files/line-framing.ts';
import { type Rotation, type RotationMode, rotationModes } from './files/rotation.ts';
import { type LineShape, namePattern } from './numbered-line.ts';
import { pushersPerSignal } from './push/pusher-name.ts';

/** As commander gives them: text, true, or nothing. */
export interface LoadFlags {
  readonly seconds?: string;
  readonly rate?: string;
  readonly logFiles?: string;
  readonly containers?: string;
  readonly format?: string;
  readonly rotate?: string;
  readonly rotateBytes?: string;
  readonly rotateKeep?: string;
  readonly lineBytes?: string;
  readonly singleLines?: boolean;
  readonly otlp?: string;
  readonly remoteWrite?: string;
  readonly spansPerTrace?: string;
  readonly series?: string;
  readonly tenant?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly run?: string;
  readonly report?: string;
  readonly verify?: boolean;
  readonly url?: string;
  readonly agent?: string;
  readonly settle?: string;
  readonly sinceSeconds?: string;
  readonly pageLines?: string;
  readonly json?: boolean;
}

export interface FilePlan {
  readonly directory: string;
  readonly containers: number;
  /** Containers take them in turn. */
  readonly formats: readonly LogFormat[];
  readonly rotation: Rotation;
}

export interface LoadPlan {
  readonly run: string;
  readonly isRunGiven: boolean;
  /** Absent where nothing is to be written. */
  readonly pace?: { readonly ratePerSecond: number; readonly seconds: number };
  readonly files?: FilePlan;
  readonly otlpUrl?: string;
  readonly remoteWriteUrl?: string;
  readonly shape: LineShape;
  readonly spansPerTrace: number;
  readonly seriesCount: number;
  readonly tenant: string;
  /** For every request: tenant and token. */
  readonly headers: Readonly<Record<string, string>>;
  readonly reportPath?: string;
  readonly agentUrl?: string;
  readonly verify?: VerifyPlan;
  readonly isJson: boolean;
}

export interface VerifyPlan {
  readonly apiUrl: string;
  readonly settleSeconds: number;
  /** How far a run without a report is looked for. */
  readonly sinceSeconds: number;
  readonly pageLines: number;
}

/** Timers of Node take 31 bits of milliseconds. */
const secondsMax = 2_000_000;
/** A millisecond is the least between two samples of a series; half of them leave room to catch up. */
const samplesPerSeriesMax = 500;

/** Throws ConfigError that names the flag and what would be right. */
export function parseLoadFlags(flags: LoadFlags): LoadPlan {
  const run = flags.run ?? randomBytes(4).toString('hex');
  if (!namePattern.test(run)) {
    throw new ConfigError(`--run ${JSON.stringify(run)}: give 1 to 64 of the characters A-Z a-z 0-9 . _ -`);
  }
  const pace = parsePace(flags);
  const tenant = parseTenantName(flags.tenant);
  const plan: LoadPlan = {
    run,
    isRunGiven: flags.run !== undefined,
    ...(pace === undefined ? {} : { pace, ...parseTargets(flags) }),
    shape: {
      lineBytes: whole(flags, 'lineBytes', 200, [1, 1_000_000]),
      isSingleLine: flags.singleLines === true,
    },
    spansPerTrace: whole(flags, 'spansPerTrace', 100, [1, 10_000]),
    seriesCount: whole(flags, 'series', 100, [1, 100_000]),
    tenant,
    headers: { [tenantHeader]: tenant, ...parseToken(flags) },
    ...(flags.report === undefined ? {} : { reportPath: flags.report }),
    ...(flags.agent === undefined ? {} : { agentUrl: url(flags, 'agent') }),
    ...(flags.verify === true ? { verify: parseVerify(flags) } : {}),
    isJson: flags.json === true,
  };
  checkTask(flags, plan);
  return plan;
}

function parseTenantName(name: string | undefined): string {
  try {
    return parseTenant(name);
  } catch (error) {
    throw new ConfigError(`--tenant: ${errorMessage(error)}`, { cause: error });
  }
}

function checkTask(flags: LoadFlags, plan: LoadPlan): void {
  if (plan.pace === undefined) {
    if (plan.verify === undefined) {
      throw new ConfigError('give --seconds and --rate to write a load, or --verify to look for one');
    }
    if (flags.run === undefined && flags.report === undefined) {
      throw new ConfigError('--verify without a load needs --report FILE or --run ID');
    }
    return;
  }
  if (plan.files === undefined && plan.otlpUrl === undefined && plan.remoteWriteUrl === undefined) {
    throw new ConfigError('a load needs a target: --log-files DIR, --otlp URL, --remote-write URL');
  }
  const perSeries = plan.pace.ratePerSecond / plan.seriesCount / pushersPerSignal;
  if (plan.remoteWriteUrl !== undefined && perSeries > samplesPerSeriesMax) {
    throw new ConfigError(`--rate ${flags.rate} is too much for ${plan.seriesCount} series: raise --series`);
  }
}

function parsePace(flags: LoadFlags): LoadPlan['pace'] {
  if (flags.seconds === undefined && flags.rate === undefined) return undefined;
  if (flags.seconds === undefined) throw new ConfigError('--rate needs --seconds');
  return {
    seconds: whole(flags, 'seconds', 0, [1, secondsMax]),
    ratePerSecond: whole(flags, 'rate', 1000, [1, 10_000_000]),
  };
}

function parseTargets(flags: LoadFlags): Pick<LoadPlan, 'files' | 'otlpUrl' | 'remoteWriteUrl'> {
  return {
    ...(flags.logFiles === undefined ? {} : { files: parseFiles(flags, flags.logFiles) }),
    ...(flags.otlp === undefined ? {} : { otlpUrl: url(flags, 'otlp') }),
    ...(flags.remoteWrite === undefined ? {} : { remoteWriteUrl: url(flags, 'remoteWrite') }),
  };
}

function parseFiles(flags: LoadFlags, directory: string): FilePlan {
  const formats = (flags.format ?? 'cri').split(',');
  for (const format of formats) {
    if (!logFormats.includes(format as LogFormat)) {
      throw new ConfigError(
        `--format ${JSON.stringify(format)}: give ${logFormats.join(', ')}, or a list of them`,
      );
    }
  }
  const mode = flags.rotate ?? 'rename';
  if (!rotationModes.includes(mode as RotationMode)) {
    throw new ConfigError(`--rotate ${JSON.stringify(mode)}: give ${rotationModes.join(', ')}`);
  }
  return {
    directory,
    containers: whole(flags, 'containers', 5, [1, 10_000]),
    formats: formats as LogFormat[],
    rotation: {
      mode: mode as RotationMode,
      // The kubelet's defaults (containerLogMaxSize, containerLogMaxFiles), which counts the live file.
      bytes: whole(flags, 'rotateBytes', 10 * 1024 * 1024, [1, 2 ** 40]),
      kept: whole(flags, 'rotateKeep', 4, [1, 1000]),
    },
  };
}

function parseVerify(flags: LoadFlags): VerifyPlan {
  if (flags.url === undefined) throw new ConfigError('--verify needs --url, the base URL of the query API');
  return {
    apiUrl: url(flags, 'url'),
    settleSeconds: whole(flags, 'settle', 60, [0, 86_400]),
    sinceSeconds: whole(flags, 'sinceSeconds', 3600, [1, 31_536_000]),
    pageLines: whole(flags, 'pageLines', 5000, [1, 1_000_000]),
  };
}

function parseToken(flags: LoadFlags): Record<string, string> {
  if (flags.token !== undefined && flags.tokenFile !== undefined) {
    throw new ConfigError('give --token or --token-file, not both');
  }
  let token = flags.token;
  if (flags.tokenFile !== undefined) {
    try {
      token = readFileSync(flags.tokenFile, 'utf8').trim();
    } catch (error) {
      throw new ConfigError(`--token-file: ${errorMessage(error)}`, { cause: error });
    }
  }
  if (token === undefined) return {};
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new ConfigError('the token has a character that no header can carry');
  return { authorization: `Bearer ${token}` };
}

function whole(
  flags: LoadFlags,
  key: keyof LoadFlags,
  byDefault: number,
  [least, most]: readonly [least: number, most: number],
): number {
  const text = flags[key];
  if (text === undefined) return byDefault;
  const value = /^\d{1,15}$/.test(String(text)) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ConfigError(
    `${flagName(key)} ${JSON.stringify(text)}: give a whole number from ${least} to ${most}`,
  );
}

function url(flags: LoadFlags, key: keyof LoadFlags): string {
  const text = String(flags[key]);
  const parsed = URL.parse(text);
  if (parsed !== null && ['http:', 'https:'].includes(parsed.protocol)) return text.replace(/\/+$/, '');
  throw new ConfigError(`${flagName(key)} ${JSON.stringify(text)}: give an http:// or https:// URL`);
}

function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
