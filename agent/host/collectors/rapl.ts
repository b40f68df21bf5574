/**
 * /sys/class/powercap: energy that packages, cores and memory have used (Intel's and AMD's RAPL). Root alone may read it.
 *
 *   intel-rapl:0/name "package-0", energy_uj "240422366267"
 *     ->  node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} 240422.366267
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { counter, fieldNumber, sampleOf } from '../host-sample.ts';

export const raplCollector: HostCollector = {
  name: 'rapl',
  isDefault: true,
  reads: '/sys/class/powercap/*/{name,energy_uj}',
  makes: 'node_rapl_*_joules_total',
  create: (files) => () => {
    const seen = new Map<string, number>();
    const samples = files.list(files.sys('class/powercap'), /rapl/).flatMap((zone) => {
      const path = files.sys('class/powercap', zone);
      const label = files.attribute(`${path}/name`);
      if (label === undefined) return [];
      const [, base, number] = /^([^-]+)-(\d+)$/.exec(label) ?? [undefined, label, undefined];
      // Zones of several packages have the same name: they are numbered as they come.
      const index = number ?? String(seen.get(base!) ?? 0);
      if (number === undefined) seen.set(base!, Number(index) + 1);
      const name = base!.replace(/[^a-zA-Z0-9_]/g, '_');
      const metric = counter(`node_rapl_${name}_joules_total`, `Energy that ${base} used, in joules.`);
      const microjoules = fieldNumber(files.allowedAttribute(`${path}/energy_uj`));
      return sampleOf(metric, microjoules / 1e6, { index, path });
    });
    if (samples.length === 0)
      throw new NoDataError('the machine measures no energy, or root alone may read it');
    return samples;
  },
};
