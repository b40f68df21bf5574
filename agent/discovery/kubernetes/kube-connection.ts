/**
 * How to reach a cluster's API server: as a pod of it, by a kubeconfig file, or by an address with credentials.
 *
 *   kubeConnection({ kubeconfigFile: '/etc/kubeconfig' })  ->  { get('/api/v1/pods?limit=500', abort) }
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { openGet } from '../http-get.ts';

export interface KubeConnectionOptions {
  /** Undefined, with no kubeconfigFile: this process runs in a pod of the cluster. */
  readonly apiServer?: string | undefined;
  readonly kubeconfigFile?: string | undefined;
  readonly client: HttpClientSettings;
}

export interface KubeConnection {
  /** Asks for a path with its query; resolves when the headers are there. */
  get(path: string, abort: AbortSignal): Promise<IncomingMessage>;
}

const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Never throws: what is wrong with a file is told by each request, so that it is tried again. */
export function kubeConnection(options: KubeConnectionOptions): KubeConnection {
  let config: KubeConfig | undefined;
  const clusterConfig = (): KubeConfig => {
    if (config === undefined) {
      const loading = new KubeConfig();
      if (options.kubeconfigFile === undefined) loading.loadFromCluster();
      else loading.loadFromFile(options.kubeconfigFile);
      config = loading;
    }
    return config;
  };
  return {
    async get(path, abort) {
      const client = { ...options.client, isFollowingRedirects: false };
      const limits = { timeoutMs: 0, bodyBytesMax: 0 };
      const headers = { accept: 'application/json' };
      if (options.apiServer !== undefined) {
        const url = urlOf(options.apiServer, path);
        return await openGet({ url, headers, client, ...limits, abort });
      }
      const cluster = clusterConfig().getCurrentCluster();
      if (!cluster?.server) throw new Error('the kubeconfig names no cluster with a server');
      const request: RequestOptions = {};
      // Tokens are renewed and exec plugins are run where needed.
      await clusterConfig().applyToHTTPSOptions(request);
      const { agent: _agent, ...ownConnection } = request;
      return await openGet({
        url: urlOf(cluster.server, path),
        headers,
        client,
        options: ownConnection,
        ...limits,
        abort,
      });
    },
  };
}

/** The namespace that this pod runs in. Rejects outside of a cluster. */
export async function ownNamespace(): Promise<string> {
  return (await readFile(namespaceFile, 'utf8')).trim();
}

function urlOf(server: string, path: string): URL {
  return new URL(server.replace(/\/+$/, '') + path);
}
