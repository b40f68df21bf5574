/** /sys/fs/selinux/enforce: "1"  ->  node_selinux_enabled 1, node_selinux_current_mode 1 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, sampleOf } from '../host-sample.ts';

const enabled = gauge('node_selinux_enabled', 'Whether SELinux is there.');
const currentMode = gauge('node_selinux_current_mode', 'Whether SELinux enforces its policy.');

export const selinuxCollector: HostCollector = {
  name: 'selinux',
  isDefault: true,
  reads: '/sys/fs/selinux/enforce',
  makes: 'node_selinux_enabled, node_selinux_current_mode',
  create: (files) => () => {
    const mode = fieldNumber(files.attribute(files.sys('fs/selinux/enforce')));
    return [...sampleOf(enabled, Number.isNaN(mode) ? 0 : 1), ...sampleOf(currentMode, mode)];
  },
};
