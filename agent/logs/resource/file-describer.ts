/**
 * Joins what a log file's path says of its writer with what a LogOrigins knows.
 */
import type { FileCheckpoint } from '../checkpoint/checkpoint.ts';
import type { FileDescription, FileOrigin, FileRules, LogOrigins, LogSource } from '../tail/log-source.ts';
import { readDockerName } from './docker-name.ts';
import { dockerContainerId, type LogResource, pathResource } from './path-resource.ts';

export interface FileDescriberOptions {
  /** Of the configuration. */
  readonly sources: readonly LogSource[];
  readonly node: string;
  /** Of files whose origin says nothing else. */
  readonly rules: FileRules;
  readonly origins: LogOrigins | undefined;
}

export class FileDescriber {
  readonly #options: FileDescriberOptions;

  constructor(options: FileDescriberOptions) {
    this.#options = options;
  }

  /** Rises when describeAgain() may answer otherwise. */
  get revision(): number {
    return this.#options.origins?.revision ?? 0;
  }

  sources(): readonly LogSource[] {
    const { sources, origins } = this.#options;
    return origins === undefined ? sources : [...sources, ...origins.sources()];
  }

  /** The source that shows what a container has at `path`; undefined for paths of no container. */
  sourceAt(path: string): LogSource | undefined {
    return this.sources().find(
      ({ base }) => base !== undefined && path.startsWith(`${base.replace(/\/$/, '')}/`),
    );
  }

  /** Describes a file that is new. */
  async describe(path: string, source: LogSource | undefined): Promise<FileDescription> {
    const dockerName = dockerContainerId(path) === undefined ? undefined : await readDockerName(path);
    return this.#join(pathResource(path, this.#options.node, dockerName), path, source);
  }

  /**
   * Describes a file anew; `known` is its resource so far, which has the name that docker gave it. Undefined: nobody knows its
   * writer any more, which is no reason to forget what was known.
   */
  describeAgain(path: string, source: LogSource, known: LogResource): FileDescription | undefined {
    if (!this.#isKnown(path, source)) return undefined;
    const name = known['container.name'];
    return this.#join(pathResource(path, this.#options.node, name?.toString()), path, source);
  }

  #isKnown(path: string, source: LogSource): boolean {
    const { origins } = this.#options;
    if (source.origin !== undefined || origins === undefined) return true;
    return typeof origins.find(path) === 'object';
  }

  /** What a checkpoint says of a file, until it is found again. */
  remembered({ resource, multiline, parse, isCollected }: FileCheckpoint): FileDescription {
    return { resource, rules: { ...this.#options.rules, multiline, parse, isCollected }, isAwaited: false };
  }

  #join(resource: LogResource, path: string, source: LogSource | undefined): FileDescription {
    const { origins, rules } = this.#options;
    const origin: FileOrigin | 'awaited' | undefined = source?.origin ?? origins?.find(path);
    if (origin === undefined || origin === 'awaited')
      return { resource, rules, isAwaited: origin === 'awaited' };
    return { resource: { ...resource, ...origin.attributes }, rules: origin.rules, isAwaited: false };
  }
}
