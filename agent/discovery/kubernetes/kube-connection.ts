/**
 * How to reach a cluster's API server: as a pod of it, by a kubeconfig file, or by an address with credentials.
 *
 *   kubeConnection({ kubeconfigFile: '/etc/kubeconfig', ... }).get('/api/v1/pods?limit=500', abort)
 *
 * A pod's account is read here: the official client costs 90 MB of memory as soon as it is loaded. It is loaded for a
 * kubeconfig, whose users may log in by certificates, exec plug-ins or OpenID.
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { openGet } from '../http-get.ts';

/** The variables of this process. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface KubeConnectionOptions {
  /** Undefined, with no kubeconfigFile: this process runs in a pod of the cluster. */
  readonly apiServer?: string | undefined;
  readonly kubeconfigFile?: string | undefined;
  readonly client: HttpClientSettings;
  readonly environment: Environment;
  /** Where a pod finds its service account. */
  readonly accountPath?: string | undefined;
}

export interface KubeConnection {
  /** Asks for a path with its query; resolves when the headers are there. */
  get(path: string, abort: AbortSignal): Promise<IncomingMessage>;
}

const accountPathDefault = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Never throws: what is wrong with a file is told by each request, so that it is tried again. */
export function kubeConnection(options: KubeConnectionOptions): KubeConnection {
  const access = accessOf(options);
  return {
    async get(path, abort) {
      const { server, client, request } = await access();
      return await openGet({
        url: new URL(server.replace(/\/+$/, '') + path),
        headers: { accept: 'application/json' },
        client: { ...client, isFollowingRedirects: false },
        ...(request && { options: request }),
        abort,
      });
    },
  };
}

interface Access {
  readonly server: string;
  readonly client: HttpClientSettings;
  readonly request?: RequestOptions;
}

function accessOf({
  apiServer,
  kubeconfigFile,
  client,
  environment,
  accountPath = accountPathDefault,
}: KubeConnectionOptions): () => Promise<Access> {
  if (apiServer !== undefined) return async () => ({ server: apiServer, client });
  if (kubeconfigFile === undefined) return async () => podAccess(environment, accountPath);
  let config: KubeConfig | undefined;
  return async () => {
    config ??= await loadKubeconfig(kubeconfigFile);
    const server = config.getCurrentCluster()?.server;
    if (!server) throw new Error(`${kubeconfigFile}: the current context names no cluster with a server`);
    const request: RequestOptions = {};
    // Tokens are renewed and exec plug-ins are run where needed.
    await config.applyToHTTPSOptions(request);
    const { agent: _agent, ...ownConnection } = request;
    return { server, client, request: ownConnection };
  };
}

async function loadKubeconfig(path: string): Promise<KubeConfig> {
  const kubernetes = await import('@kubernetes/client-node');
  const config = new kubernetes.KubeConfig();
  config.loadFromFile(path);
  return config;
}

/** Files are read for each request: kubelet changes the token within the hour. */
function podAccess(environment: Environment, accountPath: string): Access {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT_HTTPS ?? environment.KUBERNETES_SERVICE_PORT ?? '443';
  if (!host) {
    throw new Error(
      'this process runs in no pod (no KUBERNETES_SERVICE_HOST): give kubeconfig_file or api_server',
    );
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    client: {
      isFollowingRedirects: false,
      tls: { caFile: join(accountPath, 'ca.crt'), isInsecure: false },
      authorization: { type: 'Bearer', credentialsFile: join(accountPath, 'token') },
    },
  };
}

/** The namespace that this pod runs in. Rejects outside of a cluster. */
export async function ownNamespace(accountPath = accountPathDefault): Promise<string> {
  return (await readFile(join(accountPath, 'namespace'), 'utf8')).trim();
}
