/**
 * Who writes a log file, by what Kubernetes or Docker say of its container: attributes, rules, and the files inside of
 * containers that their labels ask for.
 */
import { ConfigError } from '#model/errors.ts';
import type { ContainerDirectory, ContainerFacts, LogRules } from '../../containers/container-facts.ts';
import { hostGlobs } from '../../containers/host-globs.ts';
import { containerParsers } from '../../processors/log-processors.ts';
import { multilineFault } from '../frame/record-join.ts';
import type { LossLedger } from '../loss-ledger.ts';
import { compileGlob } from '../tail/file-glob.ts';
import type { FileOrigin, FileRules, LogOrigins, LogSource } from '../tail/log-source.ts';
import { containerPlace } from './path-resource.ts';

const parsers: readonly string[] = containerParsers;

/** Files inside of containers are looked for by so many globs: one for each that a label names. */
const sourcesMax = 10_000;

export interface ContainerOriginsOptions {
  readonly directory: ContainerDirectory;
  /** Of containers that say nothing else. */
  readonly rules: Pick<FileRules, 'multiline' | 'rateLimitBytes'>;
  /** Where the host's root is mounted. */
  readonly hostPath: string;
  readonly ledger: LossLedger;
}

export class ContainerOrigins implements LogOrigins {
  revision = 0;
  readonly #options: ContainerOriginsOptions;
  #sources: readonly LogSource[] = [];
  #sourcesRevision = -1;

  constructor(options: ContainerOriginsOptions) {
    this.#options = options;
    options.directory.onChange(() => this.revision++);
  }

  find(path: string): FileOrigin | 'awaited' | undefined {
    const place = containerPlace(path);
    if (place === undefined) return undefined;
    const { directory } = this.#options;
    const facts = directory.find(place);
    if (facts !== undefined) return { attributes: facts.attributes, rules: this.#rules(facts.rules) };
    // A node without Kubernetes and Docker has nobody who could know.
    return directory.isReady && directory.all().size === 0 ? undefined : 'awaited';
  }

  sources(): readonly LogSource[] {
    if (this.#sourcesRevision !== this.revision) {
      this.#sourcesRevision = this.revision;
      this.#sources = this.#findSources();
    }
    return this.#sources;
  }

  #findSources(): LogSource[] {
    const sources: LogSource[] = [];
    const problems: { path: string; message: string }[] = [];
    for (const [id, facts] of this.#options.directory.all()) {
      const faults = [...facts.rules.problems, ...ruleFaults(facts.rules)];
      if (facts.rules.files.length > 0) {
        const { globs, problems: unplaced } = hostGlobs(facts, this.#options.hostPath);
        faults.push(...unplaced);
        for (const { glob, store, base } of globs) {
          if (sources.length >= sourcesMax) break;
          const attributes = { ...facts.attributes, 'sonde.store': store };
          // A container whose standard streams are not wanted still has the files that were asked for.
          const rules = { ...this.#rules(facts.rules), isCollected: true };
          try {
            sources.push({ glob: compileGlob(glob), base, origin: { attributes, rules } });
          } catch (error) {
            // One container's label must not stop the look for the files of all.
            if (!(error instanceof ConfigError)) throw error;
            faults.push(error.message);
          }
        }
      }
      if (faults.length > 0) problems.push({ path: containerName(id, facts), message: faults.join('; ') });
    }
    this.#options.ledger.setProblems('containers', problems);
    return sources;
  }

  #rules({ isCollected, multiline, parse, rateLimitBytes }: LogRules): FileRules {
    const { rules } = this.#options;
    const isUsual = multiline === 'auto' || multilineFault(multiline) !== '';
    return {
      isCollected,
      parse,
      multiline: isUsual ? rules.multiline : multiline,
      rateLimitBytes: rateLimitBytes === 0 ? rules.rateLimitBytes : rateLimitBytes,
    };
  }
}

/** What of the rules the agent cannot do, for a person. */
function ruleFaults({ multiline, parse }: LogRules): string[] {
  const faults: string[] = [];
  const fault = multilineFault(multiline);
  if (fault !== '') faults.push(`multiline: ${fault}; lines are joined as usual`);
  if (parse !== '' && !parsers.includes(parse)) {
    const known = parsers.join(' and ');
    faults.push(`parse: there is no parser ${JSON.stringify(parse)}, but ${known}; lines stay as they are`);
  }
  return faults;
}

function containerName(id: string, { attributes }: ContainerFacts): string {
  const pod = attributes['k8s.pod.name'];
  const container = attributes['k8s.container.name'] ?? attributes['container.name'] ?? id.slice(0, 12);
  return pod === undefined ? `container ${container}` : `pod ${pod}, container ${container}`;
}
