/**
 * /proc/mdstat: software RAID.
 *
 *   md1 : active raid1 sdb2[2](F) sda2[0]              ->  node_md_state{device="md1",state="active"} 1
 *         248896 blocks [2/1] [U_]                         node_md_disks{device="md1",state="active"} 1
 *         [=>....]  recovery = 8.5% (16775552/248896)      node_md_disks_required{device="md1"} 2, node_md_blocks 248896, ...
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const stateGauge = gauge('node_md_state', 'Which state the RAID is in.');
const disks = gauge('node_md_disks', 'Disks of the RAID, by state.');
const required = gauge('node_md_disks_required', 'Disks that the RAID needs.');
const blocks = gauge('node_md_blocks', 'Blocks of the RAID.');
const synced = gauge('node_md_blocks_synced', 'Blocks of the RAID that are in sync.');
const states = ['active', 'inactive', 'recovering', 'resync', 'check'] as const;

export const mdadmCollector: HostCollector = {
  name: 'mdadm',
  isDefault: true,
  reads: '/proc/mdstat',
  makes: 'node_md_*',
  create: (files) => () => {
    const text = files.procIfAny('mdstat');
    if (text === undefined) throw new NoDataError('the kernel has no software RAID');
    return parseMdstat(text);
  },
};

/** Devices whose lines have another shape are left out. */
export function parseMdstat(text: string): HostSample[] {
  const sections = text.split(/\n(?=\S)/);
  return sections.flatMap((section) => {
    const [first, status = '', ...rest] = section.split('\n');
    const [device, colon, activity] = splitFields(first!);
    const size = fieldNumber(/^\s+(\d+) blocks/.exec(status)?.[1]);
    if (colon !== ':' || activity === undefined || Number.isNaN(size)) return [];
    const counts = diskCounts(first!, status);
    if (counts === undefined) return [];
    const progress = syncProgress(rest, activity, size);
    const labels = { device: device! };
    return [
      ...states.flatMap((state) =>
        sampleOf(stateGauge, progress.state === state ? 1 : 0, { ...labels, state }),
      ),
      ...Object.entries(counts.byState).flatMap(([state, count]) =>
        sampleOf(disks, count, { ...labels, state }),
      ),
      ...sampleOf(required, counts.required, labels),
      ...sampleOf(blocks, size, labels),
      ...sampleOf(synced, progress.synced, labels),
    ];
  });
}

interface DiskCounts {
  readonly required: number;
  readonly byState: Readonly<Record<'active' | 'failed' | 'spare' | 'down', number>>;
}

/** `[2/1] [U_]`: required, active, and an underscore for each that is down. Stripes and inactive ones have no such part. */
function diskCounts(first: string, status: string): DiskCounts | undefined {
  const failed = first.split('(F)').length - 1;
  const spare = first.split('(S)').length - 1;
  const counts = (total: number, active: number, down: number): DiskCounts => ({
    required: total,
    byState: { active, failed, spare, down },
  });
  if (/ (?:raid0|linear) /.test(first)) {
    const total = first.split('[').length - 1;
    return counts(total, total, 0);
  }
  if (/ : inactive/.test(first)) return counts(0, 0, 0);
  const match = /\[(\d+)\/(\d+)\] \[([U_]+)\]/.exec(status);
  return match ? counts(Number(match[1]), Number(match[2]), match[3]!.split('_').length - 1) : undefined;
}

function syncProgress(
  lines: readonly string[],
  activity: string,
  size: number,
): { state: string; synced: number } {
  const line = lines.find((candidate) => /\b(?:recovery|resync|check)\s*=/.test(candidate));
  if (line === undefined) return { state: activity, synced: size };
  const state = line.includes('recovery') ? 'recovering' : line.includes('check') ? 'check' : 'resync';
  if (/PENDING|DELAYED/.test(line)) return { state, synced: 0 };
  return { state, synced: fieldNumber(/\((\d+)\/\d+\)/.exec(line)?.[1]) };
}
