/**
 * What a Prometheus says of itself: build, configuration, flags, runtime, blocks and its own metrics.
 *
 *   GET /api/v1/status/runtimeinfo  ->  {"startTime":"...","hostname":"web-1","storageRetention":"30d",...}
 */
import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { RefusedError } from '#model/errors.ts';
import { compileAnchoredRegex } from '../../language/regex.ts';
import { listPieces, renderSuccess, successPieces } from '../prometheus-reply.ts';
import type { Answer, Call } from './call.ts';
import { parseMetricFamilies } from './metric-families.ts';

/** Grafana chooses by this version what it may ask: the language and the API are those of this one. */
export const prometheusVersion = '3.13.0';

export async function answerBuildInfo({ options }: Call): Promise<Answer> {
  return answerJson({
    version: prometheusVersion,
    revision: `sonde-${options.version}`,
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  });
}

export async function answerConfig({ options }: Call): Promise<Answer> {
  return answerJson({ yaml: options.server.configYaml() });
}

export async function answerFlags({ options }: Call): Promise<Answer> {
  return answerJson(options.server.flags());
}

/** Configuration is read once, at the start. Of Go's runtime there are the counterparts of Node's: threads and heap. */
export async function answerRuntimeInfo({ options }: Call): Promise<Answer> {
  const { startedMs, hostname, retention } = options.server;
  const startTime = new Date(startedMs).toISOString();
  return answerJson({
    startTime,
    CWD: process.cwd(),
    hostname,
    serverTime: new Date(options.now()).toISOString(),
    reloadConfigSuccess: true,
    lastConfigTime: startTime,
    corruptionCount: 0,
    goroutineCount: 0,
    GOMAXPROCS: availableParallelism(),
    GOMEMLIMIT: getHeapStatistics().heap_size_limit,
    GOGC: '',
    GODEBUG: '',
    storageRetention: retention,
  });
}

/** Days of compacted samples stand for blocks: each has a name of a block's form, made of its first millisecond. */
export async function answerBlocks({ tenant, abort, options }: Call): Promise<Answer> {
  const days = await options.days(tenant, abort);
  const blocks = days.map((block) => {
    const ulid = ulidOf(block.startMs);
    return {
      ulid,
      minTime: block.startMs,
      maxTime: block.endMs,
      stats: { numSamples: block.sampleCount, numSeries: block.seriesCount, numChunks: block.chunkCount },
      compaction: { level: 1, sources: [ulid] },
      version: 1,
    };
  });
  return answerJson({ blocks });
}

/** The log of inserts is ClickHouse's, and replayed before this process answers. */
export async function answerWalReplay(): Promise<Answer> {
  return answerJson({ min: 0, max: 0, current: 0 });
}

export async function answerAlertmanagers({ options }: Call): Promise<Answer> {
  const activeAlertmanagers = options.server.alertmanagers.map((base) => ({
    url: `${base.replace(/\/$/, '')}/api/v2/alerts`,
  }));
  return answerJson({ activeAlertmanagers, droppedAlertmanagers: [] });
}

export async function answerSelfMetrics({ params, options }: Call): Promise<Answer> {
  const pattern = params.text('metric_name_pattern');
  const compiled = compileAnchoredRegex(pattern === '' ? '.*' : pattern);
  if ('mistake' in compiled) throw new RefusedError(`invalid metric_name_pattern: ${compiled.mistake}`);
  const families = parseMetricFamilies(await options.server.selfMetrics());
  const shown = families.filter(({ name }) => compiled.regex.test(name));
  return successPieces(listPieces(shown, (family) => JSON.stringify(family)));
}

function answerJson(data: object): string {
  return renderSuccess(JSON.stringify(data));
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 48 bits of milliseconds in ten characters, and sixteen of nothing. */
function ulidOf(timeMs: number): string {
  let text = '';
  for (let rest = timeMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) {
    text = crockford[rest % 32] + text;
  }
  return text + '0'.repeat(16);
}
