/**
 * How the API server is reached: from within a pod by its service account, or by a kubeconfig file.
 *
 * A pod's account is three small files and two variables, read here: the configuration module of the official client costs
 * a running agent 50 MB of memory. It is loaded for a kubeconfig, whose users may log in by certificates, exec plug-ins or
 * OpenID.
 */
import { readFile, stat } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type HttpEndpoint, optionsOfUrl } from '../containers/http-request.ts';

/** The variables of this process. */
export type Environment = Readonly<Record<string, string | undefined>>;

export const serviceAccountPath = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Undefined where this process is in no pod, or in one without a service account token. */
export async function inClusterAccess(
  environment: Environment,
  accountPath = serviceAccountPath,
): Promise<HttpEndpoint | undefined> {
  const host = environment.KUBERNETES_SERVICE_HOST;
  if (!host || !(await isFile(join(accountPath, 'token')))) return undefined;
  return serviceAccountAccess(host, environment, accountPath);
}

/** By the service account in `accountPath`: where it has no token, each request says so. */
export function serviceAccountAccess(
  host: string,
  environment: Environment,
  accountPath: string,
): HttpEndpoint {
  const port = environment.KUBERNETES_SERVICE_PORT_HTTPS ?? environment.KUBERNETES_SERVICE_PORT ?? '443';
  return {
    // Both are read each time: kubelet changes the token within the hour, and the certificate with the cluster's.
    async requestOptions() {
      const [token, ca] = await Promise.all([
        readFile(join(accountPath, 'token'), 'utf8'),
        readFile(join(accountPath, 'ca.crt')),
      ]);
      return { protocol: 'https:', host, port, ca, headers: { authorization: `Bearer ${token.trim()}` } };
    },
  };
}

/** The namespace that this pod runs in. Rejects outside of a cluster. */
export async function ownNamespace(accountPath = serviceAccountPath): Promise<string> {
  return (await readFile(join(accountPath, 'namespace'), 'utf8')).trim();
}

/** The current context of a kubeconfig file. Throws ConfigError where it cannot be used. */
export async function kubeconfigAccess(path: string): Promise<HttpEndpoint> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new ConfigError(`kubeconfig ${path} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster?.server || !URL.canParse(cluster.server)) {
    throw new ConfigError(
      `kubeconfig ${path}: its current context ${JSON.stringify(config.getCurrentContext())} names no cluster with a server`,
    );
  }
  const url = new URL(cluster.server);
  return {
    async requestOptions() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const headers = { ...(options.headers as OutgoingHttpHeaders | undefined) };
      return { ...options, ...optionsOfUrl(url), headers };
    },
  };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    // Not there, or not ours to look at: no account.
    return false;
  }
}
