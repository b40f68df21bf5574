/**
 * Goal: files, URLs, DNS names and a Docker Engine become target groups; failures keep the last answer and are told.
 * Method: real files, and servers of each protocol, that change and fail under a discovery that asks often.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type DnsRecordType, dnsDiscovery } from '#agent/discovery/dns-discovery.ts';
import { type DockerDiscoveryOptions, dockerDiscovery } from '#agent/discovery/docker-discovery.ts';
import { fileDiscovery } from '#agent/discovery/file-discovery.ts';
import { httpDiscovery } from '#agent/discovery/http-discovery.ts';
import type { Discovery, StartDiscovery, TargetGroup } from '#agent/discovery/target-group.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { dnsName, startDnsServer, uint16 } from '../../support/sd-dns-server.ts';

interface Followed {
  readonly discovery: Discovery;
  groups(): readonly TargetGroup[] | undefined;
  /** Addresses of all targets; undefined before the first answer. */
  addresses(): string | undefined;
}

function follow(start: StartDiscovery): Followed {
  let groups: readonly TargetGroup[] | undefined;
  const discovery = start((found) => {
    groups = found;
  });
  onTestFinished(() => discovery.stop());
  return {
    discovery,
    groups: () => groups,
    addresses: () =>
      groups?.flatMap(({ targets }) => targets.map(({ __address__ }) => __address__)).join(' '),
  };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-discovery-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test('files: JSON and YAML, changes, faults that keep what was, and removal', async () => {
  const directory = await temporaryDirectory();
  const json = join(directory, 'a.json');
  const yaml = join(directory, 'b.yml');
  await writeFile(json, '[{"targets":["a:1","a:2"],"labels":{"zone":"x"}}]');
  const { groups, addresses, discovery } = follow(fileDiscovery([join(directory, '*.{json,yml}')], 5));
  await eventually(() => addresses() === 'a:1 a:2');
  expect(groups()?.[0]).toEqual({
    source: `${json}:0`,
    targets: [{ __address__: 'a:1' }, { __address__: 'a:2' }],
    labels: { zone: 'x', __meta_filepath: json },
  });
  await writeFile(`${yaml}.new`, '- targets: [b:1]\n- labels: {c: d}\n');
  await rename(`${yaml}.new`, yaml);
  await eventually(() => addresses() === 'a:1 a:2 b:1');
  await writeFile(json, '[{"targets":[1]}]');
  await eventually(() => discovery.problem() !== '');
  expect(discovery.problem()).toBe(
    `${json}: expected [{ targets: [...], labels: {...} }]: 0.targets.0: Invalid input: expected string, received number`,
  );
  expect(addresses()).toBe('a:1 a:2 b:1');
  await writeFile(json, '[]');
  await eventually(() => addresses() === 'b:1' && discovery.problem() === '');
  await rm(yaml);
  await eventually(() => addresses() === '');
});

async function startHttp(
  handle: (headers: NodeJS.Dict<string | string[]>, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => handle(request.headers, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/targets`;
}

test('a URL: headers, credentials, an unchanged answer, and errors that keep the last', async () => {
  let body = '[{"targets":["a:1"],"labels":{"__meta_rack":"7"}}]';
  let status = 200;
  let type = 'application/json; charset=utf-8';
  let unchanged = 0;
  const seen: NodeJS.Dict<string | string[]>[] = [];
  const url = await startHttp((headers, response) => {
    seen.push(headers);
    if (headers['if-none-match'] === `"${body.length}"` && status === 200) {
      unchanged++;
      response.writeHead(304).end();
      return;
    }
    response.writeHead(status, { 'content-type': type, etag: `"${body.length}"` }).end(body);
  });
  const client = {
    isFollowingRedirects: true,
    basicAuth: { username: 'u', password: 'p' },
    headers: { 'X-Team': ['blue'] },
  };
  const { groups, addresses, discovery } = follow(httpDiscovery({ url, refreshMs: 20, client }));
  await eventually(groups);
  expect(groups()).toEqual([
    { source: `${url}:0`, targets: [{ __address__: 'a:1' }], labels: { __meta_rack: '7', __meta_url: url } },
  ]);
  expect(seen[0]).toMatchObject({
    accept: 'application/json',
    'x-prometheus-refresh-interval-seconds': '0.02',
    authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
    'x-team': 'blue',
  });
  await eventually(() => unchanged > 1);
  status = 500;
  await eventually(() => discovery.problem() === `${url} answered 500, expected 200`);
  status = 200;
  body = '{"targets":[]}';
  await eventually(() => discovery.problem().startsWith('expected [{ targets: [...]'));
  type = 'text/html';
  await eventually(
    () => discovery.problem() === `${url} answered with content type "text/html", expected application/json`,
  );
  expect(addresses()).toBe('a:1');
  type = 'application/json';
  body = '[{"targets":["b:1","c:1"]}]';
  await eventually(() => addresses() === 'b:1 c:1');
  expect(discovery.problem()).toBe('');
});

test('a URL whose answer is too large, one that is cut off, and one that is not there, say so', async () => {
  const url = await startHttp((_headers, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(Buffer.alloc(17 * 1024 * 1024, 0x20));
  });
  const client = { isFollowingRedirects: true };
  const large = follow(httpDiscovery({ url, refreshMs: 1000, client }));
  await eventually(() => large.discovery.problem() === 'the answer is larger than 16777216 bytes');
  const cutUrl = await startHttp((_headers, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('[]', () => response.destroy());
  });
  const cut = follow(httpDiscovery({ url: cutUrl, refreshMs: 1000, client }));
  await eventually(() => cut.discovery.problem() === 'the connection broke within the answer');
  expect(cut.groups()).toBeUndefined();
  const missing = follow(httpDiscovery({ url: 'http://127.0.0.1:1/', refreshMs: 1000, client }));
  await eventually(() => missing.discovery.problem().includes('ECONNREFUSED'));
  expect(missing.groups()).toBeUndefined();
});

test.each<[DnsRecordType, Buffer, Record<string, string>]>([
  ['A', Buffer.from([10, 0, 0, 7]), { __address__: '10.0.0.7:9100' }],
  ['AAAA', Buffer.from([...Array(15).fill(0), 1]), { __address__: '[::1]:9100' }],
  [
    'SRV',
    Buffer.concat([uint16(1, 2, 8080), dnsName('node-1.test')]),
    {
      __address__: 'node-1.test:8080',
      __meta_dns_srv_record_target: 'node-1.test.',
      __meta_dns_srv_record_port: '8080',
    },
  ],
  [
    'MX',
    Buffer.concat([uint16(10), dnsName('mail.test')]),
    { __address__: 'mail.test:9100', __meta_dns_mx_record_target: 'mail.test.' },
  ],
  ['NS', dnsName('ns.test'), { __address__: 'ns.test:9100', __meta_dns_ns_record_target: 'ns.test.' }],
])('DNS records of type %s', async (type, data, target) => {
  const server = await startDnsServer();
  onTestFinished(() => server.close());
  server.records.set(`${type} shop.test`, [data]);
  const options = {
    names: ['shop.test', 'nobody.test'],
    type,
    port: 9100,
    refreshMs: 20,
    servers: [server.address],
  };
  const { groups, discovery } = follow(dnsDiscovery(options));
  await eventually(groups);
  expect(groups()).toEqual([
    { source: 'shop.test', targets: [{ ...target, __meta_dns_name: 'shop.test' }], labels: {} },
    { source: 'nobody.test', targets: [], labels: {} },
  ]);
  server.isFailing = true;
  await eventually(() => discovery.problem().includes(`${type} shop.test: `));
  expect(groups()?.[0]?.targets).toHaveLength(1);
  server.isFailing = false;
  server.records.delete(`${type} shop.test`);
  await eventually(() => groups()?.[0]?.targets.length === 0);
});

const web = {
  Id: 'c1',
  Names: ['/web'],
  Labels: { 'com.docker.compose.service': 'web' },
  HostConfig: { NetworkMode: 'shop_default' },
  Ports: [
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 443, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ],
  NetworkSettings: {
    Networks: {
      shop_default: { NetworkID: 'n1', IPAddress: '172.18.0.2' },
      aux: { NetworkID: 'n2', IPAddress: '172.19.0.2' },
    },
  },
};
const network = {
  Id: 'n1',
  Name: 'shop_default',
  Scope: 'local',
  Internal: false,
  Ingress: false,
  Labels: { 'a.b': 'c' },
};

function dockerOptions(host: string, more: Partial<DockerDiscoveryOptions> = {}): DockerDiscoveryOptions {
  return {
    host,
    port: 80,
    filters: [],
    hostNetworkingHost: 'localhost',
    isMatchingFirstNetwork: false,
    refreshMs: 20,
    client: { isFollowingRedirects: true },
    ...more,
  };
}

test('Docker over a unix socket: all labels of a port, and changes', async () => {
  const socket = join(await temporaryDirectory(), 'docker.sock');
  const engine = await startDockerEngine(socket);
  engine.summaries = [web];
  engine.networks = [network];
  const filters = [{ name: 'status', values: ['running'] }];
  const { groups, addresses, discovery } = follow(dockerDiscovery(dockerOptions(engine.host, { filters })));
  await eventually(groups);
  expect(addresses()).toBe('172.19.0.2:80 172.19.0.2:443 172.18.0.2:80 172.18.0.2:443');
  expect(groups()?.[0]?.targets[2]).toEqual({
    __address__: '172.18.0.2:80',
    __meta_docker_container_id: 'c1',
    __meta_docker_container_label_com_docker_compose_service: 'web',
    __meta_docker_container_name: '/web',
    __meta_docker_container_network_mode: 'shop_default',
    __meta_docker_network_id: 'n1',
    __meta_docker_network_ingress: 'false',
    __meta_docker_network_internal: 'false',
    __meta_docker_network_ip: '172.18.0.2',
    __meta_docker_network_label_a_b: 'c',
    __meta_docker_network_name: 'shop_default',
    __meta_docker_network_scope: 'local',
    __meta_docker_port_private: '80',
    __meta_docker_port_public: '8080',
    __meta_docker_port_public_ip: '0.0.0.0',
  });
  const listed = engine.requests.find((path) => path.startsWith('/containers/json'))!;
  expect(new URL(listed, 'http://engine').searchParams.get('filters')).toBe('{"status":["running"]}');
  engine.status = 500;
  await eventually(() => discovery.problem().includes('answered 500: {"message":"the engine is not well"}'));
  expect(addresses()).toContain('172.18.0.2:80');
  engine.status = 200;
  engine.summaries = [];
  await eventually(() => addresses() === '' && discovery.problem() === '');
  await discovery.stop();
});

test('Docker: the first network only, shared networks, the host network, no ports', async () => {
  const engine = await startDockerEngine();
  const bare = { Labels: {}, Ports: [], NetworkSettings: { Networks: {} } };
  engine.summaries = [
    web,
    { ...bare, Id: 'c2', Names: ['/side'], HostConfig: { NetworkMode: 'container:c1' } },
    { ...bare, Id: 'c3', Names: ['/loop'], HostConfig: { NetworkMode: 'container:c3' } },
    {
      ...bare,
      Id: 'c4',
      Names: ['/host'],
      HostConfig: { NetworkMode: 'host' },
      NetworkSettings: { Networks: { host: { NetworkID: 'h', IPAddress: '' } } },
    },
    { ...bare, Id: 'c5', Names: [], HostConfig: { NetworkMode: 'bridge' } },
  ];
  const { addresses, discovery } = follow(
    dockerDiscovery(dockerOptions(engine.host, { isMatchingFirstNetwork: true, port: 9000 })),
  );
  await eventually(() => addresses() === '172.19.0.2:80 172.19.0.2:443 172.19.0.2:9000 localhost');
  await discovery.stop();
});
