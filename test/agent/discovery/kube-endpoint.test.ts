/**
 * Goal: an API server is reached as a pod does it, and where that cannot be, the reason is told.
 * Method: a TLS server with a certificate of its own, and a service account in a temporary directory.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { getJson } from '#agent/containers/json-http.ts';
import { kubeEndpoint } from '#agent/discovery/kubernetes/kube-endpoint.ts';
import { ownNamespace } from '#agent/kubernetes/cluster-access.ts';
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { hasOpenssl, makeCertificates } from '../../support/certificates.ts';

const client = { isFollowingRedirects: true };

test.skipIf(!hasOpenssl())('a pod uses its service account: certificate, token, namespace', async () => {
  const accountPath = await mkdtemp(join(tmpdir(), 'sonde-account-'));
  onTestFinished(() => rm(accountPath, { recursive: true }));
  const { authority, server: own } = makeCertificates();
  await writeFile(join(accountPath, 'ca.crt'), authority.cert);
  await writeFile(join(accountPath, 'token'), 'first\n');
  await writeFile(join(accountPath, 'namespace'), 'shop\n');
  const tokens: (string | undefined)[] = [];
  const server = createServer({ key: own.key, cert: own.cert }, (request, response) => {
    tokens.push(`${request.url} ${request.headers.authorization}`);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const environment = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
  };
  const endpoint = kubeEndpoint({ client, environment, accountPath });
  await getJson(endpoint, '/api/v1/pods', AbortSignal.timeout(5000));
  await writeFile(join(accountPath, 'token'), 'second\n');
  await getJson(endpoint, '/api/v1/nodes', AbortSignal.timeout(5000));
  expect(tokens).toEqual(['/api/v1/pods Bearer first', '/api/v1/nodes Bearer second']);
  expect(await ownNamespace(accountPath)).toBe('shop');
});

test.skipIf(!hasOpenssl())(
  'an API server below a path is asked with the authority and credentials given',
  async () => {
    const { authority, server: own } = makeCertificates();
    const asked: (string | undefined)[] = [];
    const server = createServer({ key: own.key, cert: own.cert }, (request, response) => {
      asked.push(`${request.url} ${request.headers.authorization} ${request.headers['x-scope']}`);
      response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const endpoint = (tls: HttpClientSettings['tls']) =>
      kubeEndpoint({
        apiServer: `https://127.0.0.1:${port}/k8s/clusters/c-1/`,
        client: {
          ...client,
          basicAuth: { username: 'u', password: 'p' },
          headers: { 'x-scope': ['a'] },
          ...(tls && { tls }),
        },
        environment: {},
      });
    const trusting = endpoint({ caFile: authority.certPath, isInsecure: false });
    await getJson(trusting, '/api/v1/pods?limit=1', AbortSignal.timeout(5000));
    expect(asked).toEqual(['/k8s/clusters/c-1/api/v1/pods?limit=1 Basic dTpw a']);
    await expect(getJson(endpoint(undefined), '/api/v1/pods', AbortSignal.timeout(5000))).rejects.toThrow(
      /certificate/,
    );
  },
);

test('a kubeconfig that is not there yet is looked for with each request', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-kubeconfig-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const kubeconfigFile = join(directory, 'config');
  const endpoint = kubeEndpoint({ kubeconfigFile, client, environment: {} });
  const ask = () => getJson(endpoint, '/api/v1/pods', AbortSignal.timeout(5000));
  await expect(ask()).rejects.toThrow(`kubeconfig ${kubeconfigFile} cannot be read: ENOENT`);
  await writeFile(kubeconfigFile, '{apiVersion: v1, kind: Config, clusters: [], users: [], contexts: []}');
  await expect(ask()).rejects.toThrow('names no cluster with a server');
});

test('a process that is in no pod is told what to write', async () => {
  const endpoint = kubeEndpoint({ client, environment: {} });
  await expect(getJson(endpoint, '/api/v1/pods', AbortSignal.timeout(5000))).rejects.toThrow(
    'this process runs in no pod (no KUBERNETES_SERVICE_HOST): give kubeconfig_file or api_server',
  );
});
