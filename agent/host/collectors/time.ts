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
  create: (files) => {
    // To ask for a zone's name takes longer than all the rest: it is asked when the offset changes.
    let zone = { offsetSeconds: Number.NaN, name: '' };
    return (nowMs) => {
      const offsetSeconds = new Date(nowMs).getTimezoneOffset() * -60 || 0;
      if (offsetSeconds !== zone.offsetSeconds) zone = { offsetSeconds, name: zoneName(nowMs) };
      return [
        ...sampleOf(time, nowMs / 1000),
        ...sampleOf(zoneOffset, offsetSeconds, { time_zone: zone.name }),
        ...clockSources(files),
      ];
    };
  },
};

/** The abbreviation, as Go's time package has it: UTC, EST, CET, or +03 where there is none. */
function zoneName(nowMs: number): string {
  // Each locale knows the abbreviations of its own part of the world, and calls the others GMT+1.
  const names = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'ja-JP'].map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(nowMs);
    return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  });
  const offset = /^GMT([+-])(\d{1,2})(?::(\d\d))?$/;
  const name = names.find((candidate) => !offset.test(candidate));
  if (name !== undefined) return name;
  const [, sign, hours, minutes = ''] = offset.exec(names[0]!)!;
  return `${sign}${hours!.padStart(2, '0')}${minutes}`;
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
