/**
 * /proc/mounts: which file systems are mounted where.
 *
 *   /dev/sda1 / ext4 ro,relatime 0 0   ->  { device: '/dev/sda1', mountpoint: '/', fstype: 'ext4', isReadonly: true }
 */
import { splitFields } from '../host-sample.ts';

export interface Mount {
  readonly device: string;
  readonly mountpoint: string;
  readonly fstype: string;
  readonly isReadonly: boolean;
}

/** File systems without a size of their own, as node_exporter leaves them out. */
const ignoredTypes = new Set(
  (
    'autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs iso9660 mqueue nsfs overlay ' +
    'proc procfs pstore rpc_pipefs securityfs selinuxfs squashfs erofs sysfs tracefs'
  ).split(' '),
);
const ignoredMountpoint =
  /^\/(?:dev|proc|sys|run\/credentials\/.+|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)(?:$|\/)/;

/** Returns the mounts with storage behind them; of several on one mount point the last, which hides the others. */
export function parseMountTable(text: string): Mount[] {
  const mounts = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [device, at, fstype, options] = splitFields(line);
    if (device === undefined || at === undefined || fstype === undefined || options === undefined) continue;
    const mountpoint = unescapeOctal(at);
    mounts.delete(mountpoint);
    if (ignoredTypes.has(fstype) || ignoredMountpoint.test(mountpoint)) continue;
    const isReadonly = options.split(',').includes('ro');
    mounts.set(mountpoint, { device: unescapeOctal(device), mountpoint, fstype, isReadonly });
  }
  return [...mounts.values()];
}

/** Blanks and backslashes stand as \040, \011, \012 and \134. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
