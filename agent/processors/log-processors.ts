/**
 * The configured processors of log records: which apply to a resource, what they did, what of it is a metric.
 *
 *   const processors = await createLogProcessors(entries, { transport, tenant, node, log, intervalMs });
 *   processors.pipelineOf(file.resource)  ->  what the encoder runs records through, or undefined for nothing
 */
import type { Logger } from 'pino';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { Transport } from '#wire/envelope.ts';
import type { LogResource } from '../logs/resource/path-resource.ts';
import { MetricSender } from './metrics/metric-sender.ts';
import { MetricSeries } from './metrics/metric-series.ts';
import { ModuleStage } from './module/module-stage.ts';
import { parseSchema } from './parse/parse.ts';
import { ProcessorCounters, type StepTotals } from './processor-counters.ts';
import { type ConfiguredStep, processorKinds } from './processor-kinds.ts';
import type { BuiltinEntry, ModuleEntry } from './processors-options.ts';
import type { RecordPipeline } from './record-pipeline.ts';
import { type PipelineStep, ResourcePipeline } from './resource-pipeline.ts';
import { compileWhen } from './when.ts';

export interface LogProcessorsOptions {
  readonly transport: Transport;
  readonly tenant: string;
  readonly node: string;
  readonly log: Logger;
  /** How often metrics made of logs are sent. */
  readonly metricsIntervalMs: number;
  /** The log agent's. */
  readonly batchBytesMax: number;
  /** Paths of modules are relative to it. */
  readonly directory: string;
}

interface Step {
  readonly label: string;
  readonly step: ConfiguredStep;
  readonly isFor: (resource: LogResource) => boolean;
}

/** Parsers that a container's own label may name, without any configuration. */
export const containerParsers = ['json', 'logfmt'] as const;

/**
 * Makes the processors. Rejects with ConfigError that names the entry, for files that cannot be read and modules that cannot
 * be loaded.
 */
export async function createLogProcessors(
  entries: readonly (BuiltinEntry | ModuleEntry)[],
  options: LogProcessorsOptions,
): Promise<LogProcessors> {
  const counters = new ProcessorCounters();
  const metrics = new MetricSeries();
  const steps: Step[] = [];
  const modules: { entry: ModuleEntry; label: string }[] = [];
  for (const [index, entry] of entries.entries()) {
    const label = `${index}.${'module' in entry ? 'module' : entry.name}`;
    if ('module' in entry) modules.push({ entry, label });
    else steps.push(createStep(entry, label, counters, metrics));
  }
  const { log, directory, batchBytesMax } = options;
  const stage =
    modules.length === 0
      ? undefined
      : await ModuleStage.start(modules, { log, directory, batchBytesMax, counters });
  const hasMetrics = entries.some((entry) => 'name' in entry && entry.name === 'log_metric');
  const { metricsIntervalMs: intervalMs, ...rest } = options;
  const sender = hasMetrics ? new MetricSender({ series: metrics, intervalMs, ...rest }) : undefined;
  const parsers = containerParsers.map((format): [string, Step] => {
    const entry: BuiltinEntry = { name: 'parse', options: parseSchema.parse({ format }), when: undefined };
    return [format, createStep(entry, `label.parse.${format}`, counters, metrics)];
  });
  return new LogProcessors(steps, new Map(parsers), counters, stage, sender, log);
}

function createStep(
  { name, options, when }: BuiltinEntry,
  label: string,
  counters: ProcessorCounters,
  metrics: MetricSeries,
): Step {
  const note = (what: string, count: number): void => counters.addNote(label, what, count);
  try {
    const step = processorKinds[name].create(options as never, { note, metrics });
    return { label, step, isFor: compileWhen(when) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`agent.logs.processors at ${label}: ${error.message}`, { cause: error });
  }
}

export class LogProcessors {
  /** What runs over whole batches; undefined where no module is configured. */
  readonly modules: ModuleStage | undefined;
  readonly #steps: readonly Step[];
  readonly #parsers: ReadonlyMap<string, Step>;
  readonly #counters: ProcessorCounters;
  readonly #sender: MetricSender | undefined;
  readonly #log: Logger;
  /** By resource: a file keeps its object for as long as the resource is the same. */
  readonly #pipelines = new WeakMap<LogResource, { readonly pipeline: RecordPipeline | undefined }>();
  readonly #saidErrors = new Set<string>();

  constructor(
    steps: readonly Step[],
    parsers: ReadonlyMap<string, Step>,
    counters: ProcessorCounters,
    modules: ModuleStage | undefined,
    sender: MetricSender | undefined,
    log: Logger,
  ) {
    this.#steps = steps;
    this.#parsers = parsers;
    this.#counters = counters;
    this.modules = modules;
    this.#sender = sender;
    this.#log = log;
  }

  /**
   * What records of this resource go through; undefined: nothing. `parser` is what its container's label names ('' for none):
   * it comes first, and is the same for all calls with one resource object.
   */
  pipelineOf(resource: LogResource, parser = ''): RecordPipeline | undefined {
    let known = this.#pipelines.get(resource);
    if (known === undefined) {
      known = { pipeline: this.#compile(resource, this.#parsers.get(parser)) };
      this.#pipelines.set(resource, known);
    }
    return known.pipeline;
  }

  /** What each step did to records of batches that are settled, in the order of configuration. */
  totals(): readonly StepTotals[] {
    return this.#counters.totals();
  }

  /** Sends the last metrics, for which the transport has `drainMs`, and ends the modules. After the log agent has stopped. */
  async stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    await Promise.all([this.#sender?.stop(drainMs), this.modules?.stop()]);
  }

  #compile(original: LogResource, parser: Step | undefined): RecordPipeline | undefined {
    let resource = original;
    const steps: PipelineStep[] = [];
    const configured = parser === undefined ? this.#steps : [parser, ...this.#steps];
    for (const { label, step, isFor } of configured) {
      if (!isFor(resource)) continue;
      const processor = step.processorFor(resource);
      resource = step.resourceOf(resource);
      if (processor === undefined) continue;
      const totals = this.#counters.step(label, original);
      steps.push({
        processor,
        isFailClosed: step.isFailClosed,
        add: (counts) => totals.add(counts),
        onError: (error) => this.#sayError(label, error),
      });
    }
    if (steps.length === 0 && resource === original) return undefined;
    return new ResourcePipeline(resource, steps);
  }

  /** Once a step and fault: the counter has the number. */
  #sayError(processor: string, error: unknown): void {
    const reason = errorMessage(error);
    const key = `${processor} ${reason}`;
    if (this.#saidErrors.has(key) || this.#saidErrors.size >= saidErrorsMax) return;
    this.#saidErrors.add(key);
    this.#log.error({ processor, reason }, 'BUG: a log processor failed on a record');
  }
}

const saidErrorsMax = 100;
