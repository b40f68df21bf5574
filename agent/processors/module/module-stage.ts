/**
 * The configured modules, one after the other, over batches that the other processors are done with.
 *
 * A module that fails costs its batch nothing (on_error pass: it goes on as it came) or the records that the module is for
 * (drop); both are counted. A batch never waits longer than the modules' timeouts together.
 */
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { LogResource } from '../../logs/resource/path-resource.ts';
import type { ProcessorCounters } from '../processor-counters.ts';
import type { ModuleEntry } from '../processors-options.ts';
import { createStepCounts, type StepCounts } from '../resource-pipeline.ts';
import { compileWhen } from '../when.ts';
import { ModuleHost } from './module-host.ts';
import { decodeRequest, encodeRequest } from './record-objects.ts';

export interface ModuleStageContext {
  readonly log: Logger;
  /** Paths of modules are relative to it. */
  readonly directory: string;
  readonly counters: ProcessorCounters;
  /** What the next station takes: a module must not make a batch larger. */
  readonly batchBytesMax: number;
}

/** A batch behind the modules. */
export interface StagedBatch {
  readonly bytes: Uint8Array;
  /** Records left, by resource of the request as it came. */
  readonly records: readonly number[];
  /** Must be called when the batch is settled: adds what happened to the totals. */
  readonly settle: () => void;
}

interface Module {
  readonly label: string;
  readonly host: ModuleHost;
  readonly isFor: (resource: LogResource) => boolean;
  readonly isDroppedOnError: boolean;
}

export class ModuleStage {
  readonly #modules: readonly Module[];
  readonly #context: ModuleStageContext;

  private constructor(modules: readonly Module[], context: ModuleStageContext) {
    this.#modules = modules;
    this.#context = context;
  }

  /** Loads the modules. Rejects with ConfigError where one cannot be loaded. */
  static async start(
    entries: readonly { readonly entry: ModuleEntry; readonly label: string }[],
    context: ModuleStageContext,
  ): Promise<ModuleStage> {
    const modules: Module[] = [];
    try {
      for (const { entry, label } of entries) modules.push(await startModule(entry, label, context));
    } catch (error) {
      for (const { host } of modules) await host.stop();
      throw error;
    }
    return new ModuleStage(modules, context);
  }

  /** `resources` and `records` are those of the request, in its order. Never rejects. Must not be called concurrently. */
  async run(
    bytes: Uint8Array,
    resources: readonly LogResource[],
    records: readonly number[],
  ): Promise<StagedBatch> {
    // Places in the request as it came: several can be of one resource.
    let batch = { bytes, records, live: [...resources.keys()] };
    const settles: (() => void)[] = [];
    for (const module of this.#modules) {
      const isMeant = batch.live.map((place) => module.isFor(resources[place]!));
      if (!isMeant.includes(true)) continue;
      const counts = createStepCounts();
      batch = { ...batch, ...(await this.#runModule(module, batch, isMeant, counts)) };
      // Resources without records are not in the request any more.
      batch.live = batch.live.filter((_, index) => batch.records[index]! > 0);
      batch.records = batch.records.filter((count) => count > 0);
      const counter = this.#context.counters.step(module.label, {});
      settles.push(() => counter.add(counts));
    }
    const left = new Map(batch.live.map((place, index) => [place, batch.records[index]!]));
    return {
      bytes: batch.bytes,
      records: resources.map((_, place) => left.get(place) ?? 0),
      settle: () => {
        for (const settle of settles) settle();
      },
    };
  }

  /** Why modules do not run now. */
  problems(): string[] {
    return this.#modules.map(({ host }) => host.problem).filter((problem) => problem !== '');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#modules.map(({ host }) => host.stop()));
  }

  async #runModule(
    { label, host, isDroppedOnError }: Module,
    batch: { readonly bytes: Uint8Array; readonly records: readonly number[] },
    isMeant: readonly boolean[],
    counts: StepCounts,
  ): Promise<{ bytes: Uint8Array; records: readonly number[] }> {
    try {
      const result = await host.process(batch.bytes, isMeant);
      const bytesMax = Math.max(this.#context.batchBytesMax, batch.bytes.length);
      if (result.bytes.length > bytesMax) {
        this.#context.log.error(
          { processor: label, bytes: result.bytes.length, bytesMax },
          'a log processor made a batch too large',
        );
        throw new Error('too large');
      }
      Object.assign(counts, result.counts);
      return { bytes: result.bytes, records: result.records };
    } catch {
      // It was said why, here or by the host, which shows it as a problem.
      const meant = batch.records.reduce((total, count, index) => total + (isMeant[index] ? count : 0), 0);
      counts.in = meant;
      counts.errors = meant;
      if (!isDroppedOnError) return batch;
      counts.dropped = meant;
      const kept = decodeRequest(batch.bytes).filter((_, index) => !isMeant[index]);
      return {
        bytes: encodeRequest(kept),
        records: batch.records.map((count, index) => (isMeant[index] ? 0 : count)),
      };
    }
  }
}

async function startModule(entry: ModuleEntry, label: string, context: ModuleStageContext): Promise<Module> {
  const { module, options, timeout_ms, memory_mb, on_error, when } = entry;
  const path = resolve(context.directory, module);
  try {
    const host = await ModuleHost.start({
      path,
      options,
      timeoutMs: timeout_ms,
      memoryMb: memory_mb,
      onProblem: (problem) => {
        if (problem === '') context.log.info({ path }, 'a log processor runs again');
        else context.log.error({ path, problem, on_error }, 'a log processor failed and is started again');
      },
    });
    return { label, host, isFor: compileWhen(when), isDroppedOnError: on_error === 'drop' };
  } catch (error) {
    throw new ConfigError(`agent.logs.processors at ${label}: ${errorMessage(error)}`, { cause: error });
  }
}
