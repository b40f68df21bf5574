/**
 * /proc/net/netstat, snmp and snmp6: what the network protocols did since the boot.
 *
 *   Tcp: ActiveOpens InSegs        ->  node_netstat_Tcp_ActiveOpens 69887, node_netstat_Tcp_InSegs 5721663
 *   Tcp: 69887 5721663
 *   Ip6InOctets  12                ->  node_netstat_Ip6_InOctets 12
 */
import type { HostCollector } from '../host-collector.ts';
import { type HostSample, sampleOf, signedNumber, splitFields, untyped } from '../host-sample.ts';

/** As --collector.netstat.fields. */
const wanted =
  /^(?:.*_(?:InErrors|InErrs)|Ip_Forwarding|Ip(?:6|Ext)_(?:InOctets|OutOctets)|Icmp6?_(?:InMsgs|OutMsgs)|TcpExt_(?:Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(?:ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(?:InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$/;

export const netstatCollector: HostCollector = {
  name: 'netstat',
  isDefault: true,
  reads: '/proc/1/net or /proc/net: netstat, snmp, snmp6',
  makes: 'node_netstat_*',
  create: (files) => () => [
    ...parseNetstat(files.proc('1/net/netstat', 'net/netstat')),
    ...parseNetstat(files.proc('1/net/snmp', 'net/snmp')),
    ...parseSnmp6(files.procIfAny('1/net/snmp6', 'net/snmp6') ?? ''),
  ],
};

/** A line of names, then one of values, of each protocol. Pairs that do not belong together are left out. */
export function parseNetstat(text: string): HostSample[] {
  const samples: HostSample[] = [];
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [protocol, ...names] = splitFields(lines[i]!);
    const [same, ...values] = splitFields(lines[i + 1]!);
    if (protocol !== same || !protocol!.endsWith(':')) continue;
    names.forEach((name, column) => {
      samples.push(...protocolSample(protocol!.slice(0, -1), name, values[column]));
    });
  }
  return samples;
}

/** Names have their protocol in front, which ends with a 6. */
export function parseSnmp6(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const [name, value] = splitFields(line);
    const end = name!.indexOf('6') + 1;
    return end === 0 ? [] : protocolSample(name!.slice(0, end), name!.slice(end), value);
  });
}

function protocolSample(protocol: string, name: string, value: string | undefined): HostSample[] {
  const key = `${protocol}_${name}`;
  if (!/^\w+$/.test(key) || !wanted.test(key)) return [];
  return sampleOf(
    untyped(`node_netstat_${key}`, `${protocol}${name} of the network stack.`),
    signedNumber(value),
  );
}
