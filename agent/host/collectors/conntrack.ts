/**
 * /proc/sys/net/netfilter and /proc/net/stat/nf_conntrack: how full the table of connections is, and what did not fit.
 *
 *   entries  found invalid      ->  node_nf_conntrack_stat_found 21, node_nf_conntrack_stat_invalid 3
 *   0000002a  00000010 00000001     (hexadecimal, a line for each processor: they are added)
 *   0000002a  00000005 00000002
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, hexNumber, sampleOf, splitFields } from '../host-sample.ts';

const entries = gauge('node_nf_conntrack_entries', 'Connections that are tracked now.');
const limit = gauge('node_nf_conntrack_entries_limit', 'Connections that can be tracked.');
const stats = new Map(
  ['found', 'invalid', 'ignore', 'insert', 'insert_failed', 'drop', 'early_drop', 'search_restart'].map(
    (name) => [name, gauge(`node_nf_conntrack_stat_${name}`, `${name} of /proc/net/stat/nf_conntrack.`)],
  ),
);

export const conntrackCollector: HostCollector = {
  name: 'conntrack',
  isDefault: true,
  reads: '/proc/sys/net/netfilter/nf_conntrack_{count,max}, /proc/1/net or /proc/net: stat/nf_conntrack',
  makes: 'node_nf_conntrack_*',
  create: (files) => () => {
    const count = fieldNumber(files.procIfAny('sys/net/netfilter/nf_conntrack_count')?.trim());
    const max = fieldNumber(files.procIfAny('sys/net/netfilter/nf_conntrack_max')?.trim());
    if (Number.isNaN(count)) throw new NoDataError('connections are not tracked: nf_conntrack is not loaded');
    const text = files.procIfAny('1/net/stat/nf_conntrack', 'net/stat/nf_conntrack') ?? '';
    return [...sampleOf(entries, count), ...sampleOf(limit, max), ...parseConntrackStat(text)];
  },
};

export function parseConntrackStat(text: string): HostSample[] {
  const [heading, ...lines] = text.trim().split('\n').map(splitFields);
  return [...stats].flatMap(([name, metric]) => {
    const column = heading!.indexOf(name);
    if (column < 0 || lines.length === 0) return [];
    return sampleOf(
      metric,
      lines.reduce((total, fields) => total + hexNumber(fields[column]), 0),
    );
  });
}
