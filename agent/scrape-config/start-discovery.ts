/** Starts what a scrape config's `*_sd_configs` ask for. */
import { dnsDiscovery } from '#agent/discovery/dns-discovery.ts';
import { dockerDiscovery } from '#agent/discovery/docker-discovery.ts';
import { fileDiscovery } from '#agent/discovery/file-discovery.ts';
import { httpDiscovery } from '#agent/discovery/http-discovery.ts';
import { kubeEndpoint } from '#agent/discovery/kubernetes/kube-endpoint.ts';
import { kubernetesDiscovery } from '#agent/discovery/kubernetes/kubernetes-discovery.ts';
import { staticDiscovery } from '#agent/discovery/static-discovery.ts';
import type { StartDiscovery } from '#agent/discovery/target-group.ts';
import type { Environment } from '#agent/kubernetes/cluster-access.ts';
import type { NodePods } from '#agent/kubernetes/node-pods.ts';
import type { DiscoverySpec } from './scrape-job.ts';

/** `nodePods`: of the cluster that this process runs in. Never throws: what cannot be reached is told by the discovery's problem(). */
export function discoveryOf(
  spec: DiscoverySpec,
  environment: Environment,
  nodePods?: NodePods,
): StartDiscovery {
  switch (spec.kind) {
    case 'static':
      return staticDiscovery(spec.configs);
    case 'file':
      return fileDiscovery(spec.config.files);
    case 'http':
      return httpDiscovery({
        url: spec.config.url,
        refreshMs: spec.config.refresh_interval,
        client: spec.client,
      });
    case 'dns':
      return dnsDiscovery({
        names: spec.config.names,
        type: spec.config.type,
        port: spec.config.port ?? 0,
        refreshMs: spec.config.refresh_interval,
      });
    case 'docker':
      return dockerDiscovery({
        host: spec.config.host,
        port: spec.config.port,
        filters: spec.config.filters,
        hostNetworkingHost: spec.config.host_networking_host,
        isMatchingFirstNetwork: spec.config.match_first_network,
        refreshMs: spec.config.refresh_interval,
        client: spec.client,
      });
    case 'kubernetes':
      return kubernetesDiscovery({
        role: spec.config.role,
        endpoint: kubeEndpoint({
          apiServer: spec.config.api_server,
          kubeconfigFile: spec.config.kubeconfig_file,
          client: spec.client,
          environment,
        }),
        namespaces: spec.config.namespaces?.names ?? [],
        includesOwnNamespace: spec.config.namespaces?.own_namespace ?? false,
        selectors: spec.config.selectors,
        nodePods:
          (spec.config.api_server ?? spec.config.kubeconfig_file) === undefined ? nodePods : undefined,
        attachesNode: spec.config.attach_metadata?.node ?? false,
        attachesNamespace: spec.config.attach_metadata?.namespace ?? false,
      });
    default:
      return spec satisfies never;
  }
}
