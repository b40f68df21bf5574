/**
 * The host's clock, its time zone and its clock sources.
 *
 *   available_clocksource "tsc kvm-clock"   ->  node_time_clocksource_available_info{clocksource="tsc",device="0"} 1, ...
 */
import type { HostCollector } from '../host-collector.ts';
import type { HostFiles } from '../host-files.ts';
import { gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const time = gauge('node_time_seconds', "The host's clock, in Unix time.");
const zoneOffset = gauge(
  'node_time_zone_offset_seconds',
  "Seconds that the agent's time zone is east of UTC.",
);
const availableSource = gauge(
  'node_time_clocksource_available_info',
  'Clock sources that the kernel can use.',
);
const currentSource = gauge('node_time_clocksource_current_info', 'The clock source that the kernel uses.');

export const timeCollector: HostCollector = {
  name: 'time',
  isDefault: true,
  reads: 'the clock, /sys/devices/system/clocksource',
  makes: 'node_time_seconds, node_time_zone_offset_seconds, node_time_clocksource_*_info',
  create: (files) => (nowMs) => [
    ...sampleOf(time, nowMs / 1000),
    ...sampleOf(zoneOffset, new Date(nowMs).getTimezoneOffset() * -60 || 0, { time_zone: zoneName(nowMs) }),
    ...clockSources(files),
  ],
};

/** The abbreviation, as Go's time package has it: UTC, CET, ... */
function zoneName(nowMs: number): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(nowMs);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

function clockSources(files: HostFiles): HostSample[] {
  const base = files.sys('devices/system/clocksource');
  return files.list(base, /^clocksource\d+$/).flatMap((name) => {
    const device = name.slice('clocksource'.length);
    const available = files.attribute(`${base}/${name}/available_clocksource`) ?? '';
    const current = files.attribute(`${base}/${name}/current_clocksource`);
    return [
      ...splitFields(available).flatMap((clocksource) =>
        sampleOf(availableSource, 1, { device, clocksource }),
      ),
      ...(current === undefined ? [] : sampleOf(currentSource, 1, { device, clocksource: current })),
    ];
  });
}
