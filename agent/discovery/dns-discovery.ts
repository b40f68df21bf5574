/**
 * Targets from DNS records (dns_sd): SRV, A, AAAA, MX and NS.
 *
 *   SRV _metrics._tcp.shop  ->  { __address__: 'node-1.shop:9100', __meta_dns_name: '_metrics._tcp.shop', ... }
 */
import { NODATA, NOTFOUND, Resolver } from 'node:dns/promises';
import { hostPort } from './label-name.ts';
import { startRefreshing } from './refresh-loop.ts';
import type { StartDiscovery, TargetGroup } from './target-group.ts';

export type DnsRecordType = 'A' | 'AAAA' | 'SRV' | 'MX' | 'NS';

export interface DnsDiscoveryOptions {
  readonly names: readonly string[];
  readonly type: DnsRecordType;
  /** Of all types but SRV, which brings its own. */
  readonly port: number;
  readonly refreshMs: number;
  /** `host:port`; the system's where there are none. */
  readonly servers?: readonly string[];
}

const timeoutMs = 5_000;
const tries = 2;

type Target = Record<string, string>;

/** A name that does not exist has no targets; one that cannot be asked for keeps those it had. */
export function dnsDiscovery(options: DnsDiscoveryOptions): StartDiscovery {
  return (onGroups) => {
    const resolver = new Resolver({ timeout: timeoutMs, tries });
    if (options.servers !== undefined) resolver.setServers([...options.servers]);
    const known = new Map<string, TargetGroup>();
    let failures: string[] = [];
    const refresh = async (): Promise<readonly TargetGroup[] | undefined> => {
      failures = [];
      await Promise.all(
        options.names.map(async (name) => {
          try {
            const targets = await lookUp(resolver, name, options);
            known.set(name, { source: name, targets, labels: {} });
          } catch (error) {
            failures.push(`${options.type} ${name}: ${error instanceof Error ? error.message : error}`);
          }
        }),
      );
      // Before the first complete answer nobody is told of a part of it.
      if (known.size < options.names.length) throw new Error(failures.join('; '));
      return options.names.map((name) => known.get(name)!);
    };
    const loop = startRefreshing({ intervalMs: options.refreshMs, refresh, onGroups });
    return {
      problem: () => loop.problem() || failures.join('; '),
      async stop() {
        resolver.cancel();
        await loop.stop();
      },
    };
  };
}

async function lookUp(
  resolver: Resolver,
  name: string,
  { type, port }: DnsDiscoveryOptions,
): Promise<Target[]> {
  try {
    return await records(resolver, name, type, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === NODATA || code === NOTFOUND) return [];
    throw error;
  }
}

async function records(
  resolver: Resolver,
  name: string,
  type: DnsRecordType,
  port: number,
): Promise<Target[]> {
  const target = (host: string, targetPort: number, extra: Target = {}): Target => ({
    __address__: hostPort(host, targetPort),
    __meta_dns_name: name,
    ...extra,
  });
  const bare = (host: string): string => host.replace(/\.+$/, '');
  /** As Prometheus has them, names in these labels end with the dot of the root. */
  const rooted = (host: string): string => `${bare(host)}.`;
  switch (type) {
    case 'A':
      return (await resolver.resolve4(name)).sort().map((address) => target(address, port));
    case 'AAAA':
      return (await resolver.resolve6(name)).sort().map((address) => target(address, port));
    case 'SRV':
      return (await resolver.resolveSrv(name))
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.port - b.port))
        .map((record) =>
          target(bare(record.name), record.port, {
            __meta_dns_srv_record_target: rooted(record.name),
            __meta_dns_srv_record_port: String(record.port),
          }),
        );
    case 'MX':
      return (await resolver.resolveMx(name))
        .map(({ exchange }) => exchange)
        .sort()
        .map((host) => target(bare(host), port, { __meta_dns_mx_record_target: rooted(host) }));
    case 'NS':
      return (await resolver.resolveNs(name))
        .sort()
        .map((host) => target(bare(host), port, { __meta_dns_ns_record_target: rooted(host) }));
    default:
      return type satisfies never;
  }
}
