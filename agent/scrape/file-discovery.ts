/**
 * Finds scrape targets in files of Prometheus' file_sd form, and follows them as they change.
 *
 *   [{ "targets": ["127.0.0.1:8080"], "labels": { "job": "shop", "__metrics_path__": "/stats" } }]
 *     ->  { url: 'http://127.0.0.1:8080/stats', job: 'shop', labels: {} }
 *
 * A file that cannot be read as such keeps the targets it had, and its fault is logged once. A file that is gone has none.
 */
import { glob, open } from 'node:fs/promises';
import type { Logger } from 'pino';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { errorMessage } from '#model/errors.ts';
import type { ScrapeTarget } from './simple-target.ts';

export interface FileDiscoveryOptions {
  /** JSON (*.json) and YAML files. */
  readonly globs: readonly string[];
  readonly pollIntervalMs?: number;
  /** The job of targets whose labels name none. */
  readonly job?: string;
  readonly log: Logger;
  /** Is called with all targets of all files whenever they changed. */
  readonly onTargets: (targets: readonly ScrapeTarget[]) => void;
}

export interface FileDiscovery {
  /** Files and, where one is at fault, why. */
  status(): readonly { readonly path: string; readonly targets: number; readonly fault: string }[];
  stop(): Promise<void>;
}

const pollIntervalMsDefault = 3_000;
/** Of one file: some ten thousand targets. */
const fileBytesMax = 4 * 1024 * 1024;
/** Of all globs together: more is a mistake in a glob. */
const filesMax = 1_000;

const groupsSchema = z.array(
  z.object({
    targets: z.array(z.string()),
    labels: z.record(z.string(), z.string()).default({}),
  }),
);

interface KnownFile {
  targets: readonly ScrapeTarget[];
  text: string;
  fault: string;
}

/** Starts looking at once and then every pollIntervalMs. Resolves after the first look. */
export async function startFileDiscovery(options: FileDiscoveryOptions): Promise<FileDiscovery> {
  const watch = new FileWatch(options);
  await watch.look();
  return watch;
}

class FileWatch implements FileDiscovery {
  readonly #options: FileDiscoveryOptions;
  #files = new Map<string, KnownFile>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;
  #reported = '[]';

  constructor(options: FileDiscoveryOptions) {
    this.#options = options;
  }

  status(): { path: string; targets: number; fault: string }[] {
    return [...this.#files].map(([path, { targets, fault }]) => ({ path, targets: targets.length, fault }));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Looks once and plans the next time. Never rejects. */
  async look(): Promise<void> {
    this.#looking = this.#lookOnce().catch((error: unknown) => {
      this.#options.log.error({ error }, 'looking for target files failed');
    });
    await this.#looking;
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.look(), this.#options.pollIntervalMs ?? pollIntervalMsDefault);
  }

  async #lookOnce(): Promise<void> {
    const { globs, log, onTargets } = this.#options;
    const paths = new Set<string>();
    for (const pattern of globs) {
      for await (const path of glob(pattern)) {
        if (paths.size < filesMax) paths.add(path);
      }
    }
    if (paths.size === filesMax) log.warn({ limit: filesMax }, 'too many target files: the rest is not read');
    const before = this.#files;
    this.#files = new Map();
    for (const path of [...paths].sort()) {
      const file = await this.#readFile(path, before.get(path));
      if (file) this.#files.set(path, file);
    }
    const targets = [...this.#files.values()].flatMap((file) => file.targets);
    const report = JSON.stringify(targets);
    if (report === this.#reported || this.#isStopped) return;
    this.#reported = report;
    log.info({ targets: targets.length }, 'scrape targets were found');
    onTargets(targets);
  }

  /** Returns undefined where the file went away meanwhile. */
  async #readFile(path: string, before: KnownFile | undefined): Promise<KnownFile | undefined> {
    const known: KnownFile = before ?? { targets: [], text: '', fault: '' };
    try {
      const text = await readText(path);
      if (before && text === before.text && before.fault === '') return before;
      return { targets: parseTargetFile(text, path, this.#options.job), text, fault: '' };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      const fault = errorMessage(error);
      if (fault !== known.fault)
        this.#options.log.warn({ path, reason: fault }, 'a target file was not taken');
      return { ...known, fault };
    }
  }
}

async function readText(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > fileBytesMax) throw new Error(`the file is larger than ${fileBytesMax} bytes`);
  return await file.readFile('utf8');
}

/**
 * Returns the targets that a file_sd text names; `path` decides between JSON and YAML. A target takes its scheme, path and
 * parameters from the labels __scheme__, __metrics_path__ and __param_<name>; other labels that start with __ are dropped.
 * Throws Error that says which group and which target is at fault.
 */
export function parseTargetFile(text: string, path: string, jobDefault = 'file'): ScrapeTarget[] {
  const value: unknown = path.endsWith('.json') ? JSON.parse(text) : parseYaml(text);
  const parsed = groupsSchema.safeParse(value ?? []);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Error(
      `expected [{ targets: [...], labels: {...} }]: ${issue.path.join('.')}: ${issue.message}`,
    );
  }
  return parsed.data.flatMap(({ targets, labels }, group) =>
    targets.map((address) => ({
      url: targetUrl(address, labels, group),
      job: labels.job || jobDefault,
      labels: Object.fromEntries(
        Object.entries(labels).filter(([name]) => name !== 'job' && !name.startsWith('__')),
      ),
    })),
  );
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error) throw error;
  return document.toJS({ maxAliasCount: 100 });
}

function targetUrl(address: string, labels: Readonly<Record<string, string>>, group: number): string {
  const scheme = labels.__scheme__ || 'http';
  if (scheme !== 'http' && scheme !== 'https') {
    throw new Error(`group ${group}: __scheme__ is ${JSON.stringify(scheme)}, neither http nor https`);
  }
  // As in Prometheus an address is a host and a port: what follows belongs into __metrics_path__.
  const base = `${scheme}://${address}`;
  if (!/^[^/?#@\s]+$/.test(address) || !URL.canParse(base)) {
    throw new Error(
      `group ${group}: ${JSON.stringify(address)} is not a host and port such as "127.0.0.1:8080"`,
    );
  }
  const url = new URL(base);
  const [path, query = ''] = (labels.__metrics_path__ || '/metrics').split('?', 2);
  url.pathname = path!;
  url.search = query;
  for (const [name, value] of Object.entries(labels)) {
    if (name.startsWith('__param_')) url.searchParams.append(name.slice('__param_'.length), value);
  }
  return url.href;
}
