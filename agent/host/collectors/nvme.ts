/** /sys/class/nvme: "nvme0"  ->  node_nvme_info{device="nvme0",model="Samsung SSD 970",serial="S680",...} 1 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { gauge, sampleOf } from '../host-sample.ts';

const info = gauge('node_nvme_info', 'What the NVMe device says of itself.');

export const nvmeCollector: HostCollector = {
  name: 'nvme',
  isDefault: true,
  reads: '/sys/class/nvme',
  makes: 'node_nvme_info',
  create: (files) => () => {
    const base = files.sys('class/nvme');
    const devices = files.list(base);
    if (devices.length === 0) throw new NoDataError('the machine has no NVMe devices');
    return devices.flatMap((device) => {
      const read = (name: string): string => files.attribute(`${base}/${device}/${name}`) ?? '';
      return sampleOf(info, 1, {
        device,
        firmware_revision: read('firmware_rev'),
        model: read('model'),
        serial: read('serial'),
        state: read('state'),
      });
    });
  },
};
