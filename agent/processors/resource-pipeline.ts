/**
 * The steps that apply to one resource, run over its records one after the other, and what they did, counted by step.
 */
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { resourceAttributesField } from '#wire/otlp/logs-request.ts';
import type { LogResource } from '../logs/resource/path-resource.ts';
import {
  type RecordPipeline,
  type RecordProcessor,
  verdictChanged,
  verdictDropped,
  verdictKept,
} from './record-pipeline.ts';

/** What a step did to the records of a range, or since the start. */
export interface StepCounts {
  in: number;
  dropped: number;
  changed: number;
  /** Records at which the step failed in an unforeseen way. */
  errors: number;
}

export interface PipelineStep {
  readonly processor: RecordProcessor;
  readonly isFailClosed: boolean;
  /** Adds what a range counted, once. */
  readonly add: (counts: StepCounts) => void;
  readonly onError: (error: unknown) => void;
}

export function createStepCounts(): StepCounts {
  return { in: 0, dropped: 0, changed: 0, errors: 0 };
}

export class ResourcePipeline implements RecordPipeline {
  readonly resource: LogResource;
  readonly resourceBytes: Buffer;
  readonly #steps: readonly PipelineStep[];
  #counts: StepCounts[] = [];

  constructor(resource: LogResource, steps: readonly PipelineStep[]) {
    this.resource = resource;
    this.resourceBytes = encodeKeyValues(resourceAttributesField, resource);
    this.#steps = steps;
    this.begin();
  }

  begin(): void {
    this.#counts = this.#steps.map(createStepCounts);
    for (const { processor } of this.#steps) processor.begin?.();
  }

  process(record: LogRecordFields): boolean {
    const steps = this.#steps;
    for (let index = 0; index < steps.length; index++) {
      const counts = this.#counts[index]!;
      counts.in++;
      const verdict = this.#run(steps[index]!, record, counts);
      if (verdict === verdictDropped) {
        counts.dropped++;
        return false;
      }
      if (verdict === verdictChanged) counts.changed++;
    }
    return true;
  }

  take(): () => void {
    const counts = this.#counts;
    const settles = this.#steps.map(({ processor }) => processor.take?.());
    this.#counts = this.#steps.map(createStepCounts);
    return () => {
      for (const [index, step] of this.#steps.entries()) {
        step.add(counts[index]!);
        settles[index]?.();
      }
    };
  }

  /** One record that a step cannot bear must not stop all logs of the node: it is counted, said, and goes on. */
  #run(
    { processor, isFailClosed, onError }: PipelineStep,
    record: LogRecordFields,
    counts: StepCounts,
  ): number {
    const { timeLow, timeHigh, body, bodyFrom, bodyTo, attributes, attributesBytes } = record;
    try {
      return processor.process(record);
    } catch (error) {
      counts.errors++;
      onError(error);
      if (isFailClosed) return verdictDropped;
      Object.assign(record, { timeLow, timeHigh, body, bodyFrom, bodyTo, attributes, attributesBytes });
      return verdictKept;
    }
  }
}
