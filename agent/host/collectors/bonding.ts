/** /sys/class/net/bonding_masters: bonded devices  ->  node_bonding_slaves{master="bond0"} 2, node_bonding_active{master="bond0"} 1 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { gauge, sampleOf, splitFields } from '../host-sample.ts';

const slaves = gauge('node_bonding_slaves', 'Devices that are bonded.');
const active = gauge('node_bonding_active', 'Bonded devices that are up.');

export const bondingCollector: HostCollector = {
  name: 'bonding',
  isDefault: true,
  reads: '/sys/class/net/bonding_masters, /sys/class/net/*/bonding',
  makes: 'node_bonding_slaves, node_bonding_active',
  create: (files) => () => {
    const base = files.sys('class/net');
    const masters = files.attribute(`${base}/bonding_masters`);
    if (masters === undefined) throw new NoDataError('the machine has no bonded devices');
    return splitFields(masters)
      .filter((master) => master !== '')
      .flatMap((master) => {
        const names = splitFields(files.attribute(`${base}/${master}/bonding/slaves`) ?? '').filter(
          (name) => name !== '',
        );
        const states = names.map(
          (name) =>
            files.attribute(`${base}/${master}/lower_${name}/bonding_slave/mii_status`) ??
            files.attribute(`${base}/${master}/slave_${name}/bonding_slave/mii_status`),
        );
        return [
          ...sampleOf(slaves, names.length, { master }),
          ...sampleOf(active, states.filter((state) => state === 'up').length, { master }),
        ];
      });
  },
};
