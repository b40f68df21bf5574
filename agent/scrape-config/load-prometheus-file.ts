/**
 * A prometheus.yml and the files that its `scrape_config_files` name become scrape jobs.
 *
 *   'scrape_configs: [{job_name: a, static_configs: [{targets: [h:1]}]}]'  ->  { jobs: [a], notes: [] }
 *
 * What is wrong is thrown with file, line and key, all of it at once; what is not read here (`alerting` and the like) is noted.
 */
import { glob, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { parseYamlText, type YamlText } from '#agent/discovery/yaml-text.ts';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { prometheusSchema, scrapeConfigFileSchema, unreadSections } from './scrape-config-schema.ts';
import { type ScrapeJob, scrapeJob } from './scrape-job.ts';

export interface LoadedJobs {
  readonly jobs: readonly ScrapeJob[];
  /** What a person should know of the files, a line each. */
  readonly notes: readonly string[];
  /** Of each file that was read, what changes with its content. */
  readonly versions: ReadonlyMap<string, string>;
  /** Globs of further files. */
  readonly patterns: readonly string[];
}

const fileBytesMax = 4 * 1024 * 1024;
const filesMax = 1000;
const jobsMax = 10_000;
const problemsMax = 50;

/** Throws ConfigError that lists what is wrong, one a line. */
export async function loadPrometheusFile(path: string): Promise<LoadedJobs> {
  const { text, version } = await readText(path);
  const directory = dirname(resolve(path));
  const versions = new Map([[path, version]]);
  const main = parseFile(path, text, prometheusSchema);
  const global = main.value.global ?? {};
  const jobs: ScrapeJob[] = [];
  const names = new Map<string, string>();
  const add = (
    file: ParsedFile<Pick<z.infer<typeof prometheusSchema>, 'scrape_configs'>>,
    from: string,
  ): void => {
    file.value.scrape_configs?.forEach((config, index) => {
      const where = `${file.path}:${file.yaml.lineOf(['scrape_configs', index])}`;
      const first = names.get(config.job_name);
      if (first !== undefined) {
        throw new ConfigError(`${where}: job_name "${config.job_name}" is taken already, by ${first}`);
      }
      names.set(config.job_name, where);
      if (jobs.length === jobsMax) throw new ConfigError(`${where}: more than ${jobsMax} scrape configs`);
      try {
        jobs.push(scrapeJob(config, global, from));
      } catch (error) {
        throw new ConfigError(`${where}: ${errorMessage(error)}`, { cause: error });
      }
    });
  };
  add(main, directory);
  const patterns = (main.value.scrape_config_files ?? []).map((pattern) => resolve(directory, pattern));
  for (const found of await filesOf(patterns)) {
    const file = await readText(found);
    versions.set(found, file.version);
    add(parseFile(found, file.text, scrapeConfigFileSchema), dirname(found));
  }
  const unread = unreadSections.filter((section) => main.value[section] !== undefined);
  const notes =
    unread.length > 0 ? [`${path}: not read by this agent, which only scrapes: ${unread.join(', ')}`] : [];
  return { jobs, notes, versions, patterns };
}

interface ParsedFile<Value> {
  readonly path: string;
  readonly yaml: YamlText;
  readonly value: Value;
}

function parseFile<Value>(path: string, text: string, schema: z.ZodType<Value>): ParsedFile<Value> {
  let yaml: YamlText;
  try {
    yaml = parseYamlText(text);
  } catch (error) {
    throw new ConfigError(`${path}: ${errorMessage(error)}`, { cause: error });
  }
  const parsed = schema.safeParse(yaml.value ?? {});
  if (parsed.success) return { path, yaml, value: parsed.data };
  const problems = parsed.error.issues.flatMap((issue) => {
    const key = issue.path.map(String).join('.');
    const at = (line: number, message: string): string =>
      `${path}:${line}: ${key === '' ? '' : `${key}: `}${message}`;
    if (issue.code !== 'unrecognized_keys') return [at(yaml.lineOf(issue.path), issue.message)];
    const messages = issue.message.split('\n');
    return issue.keys.map((name, index) => at(yaml.lineOf([...issue.path, name]), messages[index] ?? ''));
  });
  throw new ConfigError(problems.slice(0, problemsMax).join('\n'));
}

async function readText(path: string): Promise<{ text: string; version: string }> {
  try {
    await using file = await open(path);
    const stats = await file.stat();
    const { size } = stats;
    if (size > fileBytesMax) throw new Error(`the file is larger than ${fileBytesMax} bytes`);
    return { text: await file.readFile('utf8'), version: versionOf(stats) };
  } catch (error) {
    throw new ConfigError(`${path}: ${errorMessage(error)}`, { cause: error });
  }
}

async function filesOf(patterns: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const pattern of patterns) {
    for await (const path of glob(pattern)) {
      if (paths.size === filesMax) throw new ConfigError(`${pattern}: more than ${filesMax} files`);
      paths.add(path);
    }
  }
  return [...paths].sort();
}

function versionOf({ mtimeMs, size, ino }: { mtimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${size} ${ino}`;
}

/** Looks at times and sizes only: whether reading `path` again could bring anything else than `loaded`. */
export async function hasChanged(path: string, { versions, patterns }: LoadedJobs): Promise<boolean> {
  const paths = new Set([path, ...(await filesOf(patterns))]);
  if (paths.size !== versions.size) return true;
  for (const known of paths) {
    const stats = await stat(known).catch(() => undefined); // Gone: that is a change.
    if (stats === undefined || versions.get(known) !== versionOf(stats)) return true;
  }
  return false;
}
