/**
 * /proc/pressure: how long tasks waited for processors, memory and disks.
 *
 *   memory: some avg10=0.00 avg60=0.00 avg300=0.00 total=1172456   ->  node_pressure_memory_waiting_seconds_total 1.172456
 *           full avg10=0.00 avg60=0.00 avg300=0.00 total=651375    ->  node_pressure_memory_stalled_seconds_total 0.651375
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { counter, fieldNumber, type HostMetric, sampleOf } from '../host-sample.ts';

/** Resource, kind and metric. A whole machine has no `full` of its processors, and interrupts have no `some`. */
const metrics: readonly (readonly [resource: string, kind: 'some' | 'full', HostMetric])[] = [
  ['cpu', 'some', waiting('cpu')],
  ['io', 'some', waiting('io')],
  ['io', 'full', stalled('io')],
  ['memory', 'some', waiting('memory')],
  ['memory', 'full', stalled('memory')],
  ['irq', 'full', stalled('irq')],
];

function waiting(resource: string): HostMetric {
  return counter(
    `node_pressure_${resource}_waiting_seconds_total`,
    `Seconds that some tasks waited for ${resource}.`,
  );
}

function stalled(resource: string): HostMetric {
  return counter(
    `node_pressure_${resource}_stalled_seconds_total`,
    `Seconds that no task could go on for ${resource}.`,
  );
}

export const pressureCollector: HostCollector = {
  name: 'pressure',
  isDefault: true,
  reads: '/proc/pressure/*',
  makes: 'node_pressure_*_seconds_total',
  create: (files) => () => {
    const texts = new Map(
      ['cpu', 'io', 'memory', 'irq'].map((name) => [name, files.procIfAny(`pressure/${name}`)]),
    );
    const samples = metrics.flatMap(([resource, kind, metric]) =>
      sampleOf(metric, parsePressureTotal(texts.get(resource) ?? '', kind)),
    );
    if (samples.length === 0) throw new NoDataError('the kernel has no pressure stall information (psi=1)');
    return samples;
  },
};

/** Returns the seconds of one kind; NaN where the text does not have it. */
export function parsePressureTotal(text: string, kind: 'some' | 'full'): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${kind} `));
  return fieldNumber(/ total=(\d+)$/.exec(line ?? '')?.[1]) / 1e6;
}
