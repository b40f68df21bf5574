/**
 * Tail sampling as configured: the gates that partitions of traces go through. It works on Kafka only, because a request that
 * is pushed must be answered before the wait for its traces would be over.
 */
import { durationMs, type OptionValues } from '#model/config/option.ts';
import { ConfigError } from '#model/errors.ts';
import type { EnvelopeSink } from '#wire/envelope.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import type { PartitionGates } from '../kafka/partition-gate.ts';
import { rateWindowMs } from './rate-meter.ts';
import { countBypass, SamplingCounters } from './sampling-counters.ts';
import type { samplingOptions } from './sampling-options.ts';
import { type ConfiguredPolicies, TenantPolicies } from './tenant-policies.ts';
import { TraceWindow, type WindowLimits } from './trace-window.ts';

export interface TailSampling extends PartitionGates {
  readonly counters: SamplingCounters;
}

/**
 * Returns undefined where no policy is configured. Throws ConfigError where sampling cannot be had: `isOnKafka` says whether
 * this collector reads its traces from Kafka.
 */
export function createTailSampling(
  options: OptionValues<typeof samplingOptions>,
  isOnKafka: boolean,
): TailSampling | undefined {
  const policies: ConfiguredPolicies = {
    common: options['sampling.policies'],
    ofTenant: new Map(Object.entries(options['sampling.tenant_policies'])),
  };
  if ([policies.common, ...policies.ofTenant.values()].every((list) => list.length === 0)) return undefined;
  if (!isOnKafka) {
    throw new ConfigError(
      'collector.sampling needs transport.kind kafka: without it spans are pushed, and a pushed request must be ' +
        'answered when it is stored, which cannot wait until its traces are complete. Sample in the SDKs instead ' +
        '(OTEL_TRACES_SAMPLER=parentbased_traceidratio), or put Kafka in between',
    );
  }
  const limits: WindowLimits = {
    decisionWaitMs: durationMs(options['sampling.decision_wait']),
    lateWaitMs: durationMs(options['sampling.late_wait']),
    heldBytesMax: options['sampling.held_bytes_max'],
    tracesMax: options['sampling.traces_max'],
  };
  if (limits.decisionWaitMs === 0) throw new ConfigError('collector.sampling.decision_wait must be above 0');
  if (limits.lateWaitMs < limits.decisionWaitMs) {
    throw new ConfigError(
      `collector.sampling.late_wait (${options['sampling.late_wait']}) is shorter than decision_wait ` +
        `(${options['sampling.decision_wait']}): spans that are read before a decision must find it when they are stored`,
    );
  }
  const counters = new SamplingCounters();
  return {
    counters,
    // What was decided by a rate depends on all of its window.
    historyMs: limits.decisionWaitMs + limits.lateWaitMs + rateWindowMs,
    gateOf: (partitionCount) =>
      new TraceWindow(limits, new TenantPolicies(policies, 1 / Math.max(1, partitionCount)), counters),
  };
}

/** Counts the traces that are pushed to this collector, and says it once: they do not go through Kafka, and are stored whole. */
export function countBypassedTraces(sink: EnvelopeSink, log: KafkaLog): EnvelopeSink {
  let isSaid = false;
  const counting = (envelope: Parameters<EnvelopeSink>[0]): ReturnType<EnvelopeSink> => {
    if (envelope.signal === 'traces') {
      countBypass(envelope.tenant);
      if (!isSaid) {
        const { tenant } = envelope;
        log.warn(
          { tenant },
          'traces that are pushed to this collector are not sampled: send them to an agent',
        );
      }
      isSaid = true;
    }
    return sink(envelope);
  };
  return Object.assign(counting, sink.whenRoom === undefined ? {} : { whenRoom: sink.whenRoom });
}
