/**
 * /proc/schedstat: what the scheduler did on each processor.
 *
 *   cpu0 498494191 0 3533438552 2553969831 3853684107 2465731542 2045936778163 343796328169361 4767485306
 *     ->  node_schedstat_running_seconds_total{cpu="0"} 2045.936778163, _waiting_ 343796.328169361, _timeslices_total 4767485306
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { counter, fieldNumber, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const running = counter('node_schedstat_running_seconds_total', 'Seconds that the processor ran tasks.');
const waiting = counter(
  'node_schedstat_waiting_seconds_total',
  'Seconds that tasks waited for the processor.',
);
const timeslices = counter('node_schedstat_timeslices_total', 'Time slices that the processor ran.');

export const schedstatCollector: HostCollector = {
  name: 'schedstat',
  isDefault: true,
  reads: '/proc/schedstat',
  makes: 'node_schedstat_*_total',
  create: (files) => () => {
    const text = files.procIfAny('schedstat');
    if (text === undefined) throw new NoDataError('the kernel has no scheduler statistics');
    return parseSchedstat(text);
  },
};

export function parseSchedstat(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const cpu = /^cpu(\d+) /.exec(line)?.[1];
    if (cpu === undefined) return [];
    const fields = splitFields(line);
    return [
      ...sampleOf(running, fieldNumber(fields[7]) / 1e9, { cpu }),
      ...sampleOf(waiting, fieldNumber(fields[8]) / 1e9, { cpu }),
      ...sampleOf(timeslices, fieldNumber(fields[9]), { cpu }),
    ];
  });
}
