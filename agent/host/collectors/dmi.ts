/** /sys/class/dmi/id: who made the machine  ->  node_dmi_info{product_name="Standard PC",system_vendor="QEMU",...} 1 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { gauge, sampleOf } from '../host-sample.ts';

const info = gauge('node_dmi_info', 'What the firmware says of the machine.');
const attributes =
  'bios_date bios_release bios_vendor bios_version board_asset_tag board_name board_serial board_vendor board_version chassis_asset_tag chassis_serial chassis_vendor chassis_version product_family product_name product_serial product_sku product_uuid product_version'.split(
    ' ',
  );

export const dmiCollector: HostCollector = {
  name: 'dmi',
  isDefault: true,
  reads: '/sys/class/dmi/id',
  makes: 'node_dmi_info',
  create: (files) => {
    // It does not change before the next boot. Serial numbers are for root only: without them, nothing is missing.
    let labels: Record<string, string> | undefined;
    return () => {
      labels ??= readLabels();
      return sampleOf(info, 1, labels);
    };
    function readLabels(): Record<string, string> {
      const base = files.sys('class/dmi/id');
      const present = new Set(files.list(base));
      if (present.size === 0) throw new NoDataError('the machine has no DMI');
      const read = (name: string): string =>
        present.has(name) ? (files.allowedAttribute(`${base}/${name}`) ?? '') : '';
      return {
        ...Object.fromEntries(attributes.map((name) => [name, read(name)])),
        system_vendor: read('sys_vendor'),
      };
    }
  },
};
