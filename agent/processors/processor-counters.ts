/**
 * What processors did, by processor and resource, as OpenTelemetry counters and as totals.
 *
 * All of it is counted when a batch is settled, so a range that is encoded twice counts once. What a processor drops is
 * dropped on purpose: it is counted here, and is no loss.
 */
import { type Attributes, metrics } from '@opentelemetry/api';
import type { LogResource } from '../logs/resource/path-resource.ts';
import { createStepCounts, type StepCounts } from './resource-pipeline.ts';

export interface StepTotals extends StepCounts {
  /** '2.redact': the place in the list, and the name. */
  readonly processor: string;
  /** What it noted besides: detectors that found something, bodies that were not parsed. */
  readonly notes: Readonly<Record<string, number>>;
}

/** Resources that have counters of their own: services of a node. Others share one. */
const resourcesMax = 500;
const resourceNames = ['k8s.namespace.name', 'service.name'] as const;
const otherResource = { 'service.name': '(other)' };

export interface StepCounter {
  add(counts: StepCounts): void;
}

export class ProcessorCounters {
  readonly #totals = new Map<string, StepCounts & { notes: Record<string, number> }>();
  readonly #resources = new Set<string>();
  readonly #counters: Readonly<Record<keyof StepCounts, ReturnType<typeof createCounter>>>;
  readonly #noted = createCounter('noted', 'What processors found in log records, by what it was.');

  constructor() {
    this.#counters = {
      in: createCounter('in', 'Log records that a processor was given.'),
      dropped: createCounter('dropped', 'Log records that a processor dropped, as it was told to.'),
      changed: createCounter('changed', 'Log records that a processor changed.'),
      errors: createCounter('errors', 'Log records at which a processor failed.'),
    };
  }

  /** The counter of a processor for records of a resource. */
  step(processor: string, resource: LogResource): StepCounter {
    const total = this.#total(processor);
    const attributes: Attributes = { processor, ...this.#resourceAttributes(resource) };
    return {
      add: (counts) => {
        for (const name of ['in', 'dropped', 'changed', 'errors'] as const) {
          if (counts[name] === 0) continue;
          total[name] += counts[name];
          this.#counters[name].add(counts[name], attributes);
        }
      },
    };
  }

  addNote(processor: string, what: string, count: number): void {
    const { notes } = this.#total(processor);
    notes[what] = (notes[what] ?? 0) + count;
    this.#noted.add(count, { processor, what });
  }

  totals(): StepTotals[] {
    return [...this.#totals].map(([processor, { notes, ...counts }]) => ({
      processor,
      ...counts,
      notes: { ...notes },
    }));
  }

  #total(processor: string): StepCounts & { notes: Record<string, number> } {
    let total = this.#totals.get(processor);
    if (total === undefined) {
      total = { ...createStepCounts(), notes: {} };
      this.#totals.set(processor, total);
    }
    return total;
  }

  #resourceAttributes(resource: LogResource): Attributes {
    const attributes: Attributes = {};
    for (const name of resourceNames) if (resource[name] !== undefined) attributes[name] = resource[name];
    const key = JSON.stringify(attributes);
    if (!this.#resources.has(key) && this.#resources.size >= resourcesMax) return otherResource;
    this.#resources.add(key);
    return attributes;
  }
}

function createCounter(name: string, description: string) {
  return metrics.getMeter('sonde').createCounter(`sonde.agent.logs.processor.${name}`, { description });
}
