/**
 * Targets from a Docker Engine (docker_sd): each TCP port of each network of each running container.
 *
 *   GET /containers/json and /networks over unix:///var/run/docker.sock
 *     ->  { __address__: '172.17.0.2:80', __meta_docker_container_name: '/web', ... }
 */
import { z } from 'zod';
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { httpGet } from './http-get.ts';
import { hostPort, sanitizeLabelName } from './label-name.ts';
import { startRefreshing } from './refresh-loop.ts';
import type { StartDiscovery } from './target-group.ts';

export interface DockerDiscoveryOptions {
  /** `unix:///path`, `tcp://host:port`, `http://` or `https://`. */
  readonly host: string;
  /** Of containers without a TCP port. */
  readonly port: number;
  readonly filters: readonly { readonly name: string; readonly values: readonly string[] }[];
  readonly hostNetworkingHost: string;
  readonly isMatchingFirstNetwork: boolean;
  readonly refreshMs: number;
  readonly client: HttpClientSettings;
}

/** Some ten thousand containers. */
const bodyBytesMax = 64 * 1024 * 1024;
const timeoutMsMax = 60_000;
/** Containers that join the network of one that joins another's... */
const sharedNetworksMax = 10;

const textsSchema = z.record(z.string(), z.string()).nullish();
const containersSchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()).nullish(),
    Labels: textsSchema,
    HostConfig: z.object({ NetworkMode: z.string().nullish() }).nullish(),
    Ports: z
      .array(
        z.object({
          IP: z.string().optional(),
          PrivatePort: z.number(),
          PublicPort: z.number().optional(),
          Type: z.string().optional(),
        }),
      )
      .nullish(),
    NetworkSettings: z
      .object({
        Networks: z
          .record(
            z.string(),
            z
              .object({
                NetworkID: z.string().nullish(),
                IPAddress: z.string().nullish(),
                GlobalIPv6Address: z.string().nullish(),
              })
              .nullable(),
          )
          .nullish(),
      })
      .nullish(),
  }),
);
const networksSchema = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Scope: z.string().nullish(),
    Internal: z.boolean().nullish(),
    Ingress: z.boolean().nullish(),
    Labels: textsSchema,
  }),
);
type Container = z.infer<typeof containersSchema>[number];
type Network = z.infer<typeof networksSchema>[number];
type Target = Record<string, string>;

/** The last answer stays while the engine has none. */
export function dockerDiscovery(options: DockerDiscoveryOptions): StartDiscovery {
  return (onGroups) =>
    startRefreshing({
      intervalMs: options.refreshMs,
      onGroups,
      async refresh(abort) {
        const filters = Object.fromEntries(options.filters.map(({ name, values }) => [name, values]));
        const query =
          options.filters.length > 0 ? `?filters=${encodeURIComponent(JSON.stringify(filters))}` : '';
        const [containers, networks] = await Promise.all([
          askEngine(options, `/containers/json${query}`, containersSchema, abort),
          askEngine(options, '/networks', networksSchema, abort),
        ]);
        return [{ source: 'Docker', targets: dockerTargets(containers, networks, options), labels: {} }];
      },
    });
}

async function askEngine<Value>(
  { host, client, refreshMs }: DockerDiscoveryOptions,
  path: string,
  schema: z.ZodType<Value>,
  abort: AbortSignal,
): Promise<Value> {
  const isSocket = host.startsWith('unix://');
  const base = isSocket ? 'http://docker' : host.replace(/^tcp:/, client.tls ? 'https:' : 'http:');
  const answer = await httpGet({
    url: new URL(path, base),
    ...(isSocket && { socketPath: host.slice('unix://'.length) }),
    client,
    timeoutMs: Math.min(refreshMs, timeoutMsMax),
    bodyBytesMax,
    abort,
  });
  if (answer.status !== 200) {
    throw new Error(
      `${host}${path} answered ${answer.status}: ${answer.body.toString('utf8', 0, 200).trim()}`,
    );
  }
  const parsed = schema.safeParse(JSON.parse(answer.body.toString('utf8')));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Error(`${host}${path}: ${issue.path.join('.')}: ${issue.message}`);
}

/** The targets of an engine's answers, in their order (Prometheus, discovery/moby). */
function dockerTargets(
  containers: readonly Container[],
  networks: readonly Network[],
  options: DockerDiscoveryOptions,
): Target[] {
  const byId = new Map(containers.map((container) => [container.Id, container]));
  const networkLabels = new Map(networks.map((network) => [network.Id, labelsOfNetwork(network)]));
  return containers.flatMap((container) => {
    if (!container.Names?.length) return [];
    const common = labelsOfContainer(container);
    return networksOf(container, byId, options.isMatchingFirstNetwork).flatMap((network) => {
      const ip = network.IPAddress || network.GlobalIPv6Address || '';
      const shared = {
        ...common,
        ...networkLabels.get(network.NetworkID ?? ''),
        __meta_docker_network_ip: ip,
      };
      const ports = (container.Ports ?? []).filter(({ Type }) => Type === 'tcp');
      if (ports.length > 0) return ports.map((port) => ({ ...shared, ...labelsOfPort(port, ip) }));
      const isOnHost = container.HostConfig?.NetworkMode === 'host';
      return [{ ...shared, __address__: isOnHost ? options.hostNetworkingHost : hostPort(ip, options.port) }];
    });
  });
}

function labelsOfContainer(container: Container): Target {
  const labels: Target = {
    __meta_docker_container_id: container.Id,
    __meta_docker_container_name: container.Names?.[0] ?? '',
    __meta_docker_container_network_mode: container.HostConfig?.NetworkMode ?? '',
  };
  for (const [name, value] of Object.entries(container.Labels ?? {})) {
    labels[`__meta_docker_container_label_${sanitizeLabelName(name)}`] = value;
  }
  return labels;
}

function labelsOfNetwork(network: Network): Target {
  const labels: Target = {
    __meta_docker_network_id: network.Id,
    __meta_docker_network_name: network.Name,
    __meta_docker_network_scope: network.Scope ?? '',
    __meta_docker_network_internal: String(network.Internal ?? false),
    __meta_docker_network_ingress: String(network.Ingress ?? false),
  };
  for (const [name, value] of Object.entries(network.Labels ?? {})) {
    labels[`__meta_docker_network_label_${sanitizeLabelName(name)}`] = value;
  }
  return labels;
}

function labelsOfPort(port: NonNullable<Container['Ports']>[number], ip: string): Target {
  const labels: Target = {
    __address__: hostPort(ip, port.PrivatePort),
    __meta_docker_port_private: String(port.PrivatePort),
  };
  if (port.PublicPort !== undefined && port.PublicPort > 0) {
    labels.__meta_docker_port_public = String(port.PublicPort);
    labels.__meta_docker_port_public_ip = port.IP ?? '';
  }
  return labels;
}

type Endpoint = NonNullable<NonNullable<NonNullable<Container['NetworkSettings']>['Networks']>[string]>;

/** A container's own networks, or those of the container whose network it joins; sorted by name. */
function networksOf(
  container: Container,
  byId: ReadonlyMap<string, Container>,
  isFirstOnly: boolean,
): Endpoint[] {
  let owner: Container | undefined = container;
  for (let hops = 0; hops < sharedNetworksMax && owner !== undefined; hops++) {
    const networks = Object.entries(owner.NetworkSettings?.Networks ?? {});
    if (networks.length > 0) {
      const known = networks
        .filter((entry): entry is [string, Endpoint] => entry[1] !== null)
        .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
        .map(([, network]) => network);
      return isFirstOnly ? known.slice(0, 1) : known;
    }
    const mode: string = owner.HostConfig?.NetworkMode ?? '';
    owner = mode.startsWith('container:') ? byId.get(mode.slice('container:'.length)) : undefined;
  }
  return [];
}
