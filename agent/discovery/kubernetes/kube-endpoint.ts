/**
 * How the API server of a discovery is reached: as a pod of its cluster, by a kubeconfig file, or by an address with credentials.
 *
 *   kubeEndpoint({ apiServer: 'https://kube:6443', client: { authorization, tls }, environment })
 */
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { type EndpointOptions, type HttpEndpoint, optionsOfUrl } from '../../containers/http-request.ts';
import {
  type Environment,
  kubeconfigAccess,
  serviceAccountAccess,
  serviceAccountPath,
} from '../../kubernetes/cluster-access.ts';
import { clientOptions } from '../http-get.ts';

export interface KubeEndpointOptions {
  /** Undefined, with no kubeconfigFile: this process runs in a pod of the cluster. */
  readonly apiServer?: string | undefined;
  readonly kubeconfigFile?: string | undefined;
  readonly client: HttpClientSettings;
  readonly environment: Environment;
  /** Where a pod finds its service account. */
  readonly accountPath?: string | undefined;
}

/** Never throws: what is wrong with a file is told by each request, so that it is tried again. */
export function kubeEndpoint({
  apiServer,
  kubeconfigFile,
  client,
  environment,
  accountPath = serviceAccountPath,
}: KubeEndpointOptions): HttpEndpoint {
  if (apiServer !== undefined) {
    return {
      async requestOptions() {
        const url = new URL(apiServer);
        return { ...optionsOfUrl(url), ...(await clientOptions(client, url.protocol)) };
      },
    };
  }
  if (kubeconfigFile !== undefined) {
    let kubeconfig: HttpEndpoint | undefined;
    return {
      async requestOptions() {
        kubeconfig ??= await kubeconfigAccess(kubeconfigFile);
        return merged(client, await kubeconfig.requestOptions());
      },
    };
  }
  const host = environment.KUBERNETES_SERVICE_HOST;
  if (host) return serviceAccountAccess(host, environment, accountPath);
  return {
    async requestOptions() {
      throw new Error(
        'this process runs in no pod (no KUBERNETES_SERVICE_HOST): give kubeconfig_file or api_server',
      );
    },
  };
}

/** The kubeconfig's connection, with what the discovery says of its client besides; credentials of the latter win. */
async function merged(client: HttpClientSettings, kubeconfig: EndpointOptions): Promise<EndpointOptions> {
  const own = await clientOptions(client, kubeconfig.protocol ?? '');
  const { agent, ...connection } = kubeconfig;
  return {
    ...own,
    ...connection,
    // The agent of a kubeconfig knows its proxy, and insists on the kubeconfig's TLS alone.
    ...(agent !== undefined && client.tls === undefined && { agent }),
    headers: { ...kubeconfig.headers, ...own.headers },
  };
}
