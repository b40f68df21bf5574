/**
 * Goal: a path names its container in OpenTelemetry's words.
 * Method: a table of paths.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDockerName } from '#agent/logs/resource/docker-name.ts';
import { pathResource } from '#agent/logs/resource/path-resource.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

const id = '0123456789abcdef'.repeat(4);
const pod = {
  'service.name': 'web',
  'k8s.namespace.name': 'kube-system',
  'k8s.pod.name': 'cart-7d9f-x2x',
  'k8s.pod.uid': 'a1b2-c3',
  'k8s.container.name': 'web',
  'k8s.container.restart_count': 12,
  'host.name': 'n1',
};
const plain = (path: string, service: string, name: string) => ({
  'service.name': service,
  'log.file.name': name,
  'log.file.path': path,
  'host.name': 'n1',
});

test.each<{ path: string; name?: string; resource: object }>([
  { path: '/var/log/pods/kube-system_cart-7d9f-x2x_a1b2-c3/web/12.log', resource: pod },
  { path: '/var/log/pods/kube-system_cart-7d9f-x2x_a1b2-c3/web/12.log.20260102-030405', resource: pod },
  {
    path: `/var/lib/docker/containers/${id}/${id}-json.log`,
    resource: { 'service.name': '0123456789ab', 'container.id': id, 'host.name': 'n1' },
  },
  {
    path: `/var/lib/docker/containers/${id}/${id}-json.log.1`,
    name: 'cart',
    resource: { 'service.name': 'cart', 'container.id': id, 'container.name': 'cart', 'host.name': 'n1' },
  },
  { path: '/var/log/nginx/access.log', resource: plain('/var/log/nginx/access.log', 'access', 'access.log') },
  { path: '/var/log/app.log.1', resource: plain('/var/log/app.log.1', 'app', 'app.log.1') },
  { path: '/var/log/syslog', resource: plain('/var/log/syslog', 'syslog', 'syslog') },
  { path: '/var/log/.log', resource: plain('/var/log/.log', '.log', '.log') },
  {
    path: '/var/log/pods/no-pod/web/1.log',
    resource: plain('/var/log/pods/no-pod/web/1.log', '1', '1.log'),
  },
])('$path', ({ path, name, resource }) => expect(pathResource(path, 'n1', name)).toEqual(resource));

test.each([
  { name: 'its name', config: '{"Name":"/cart-1"}', expected: 'cart-1' },
  { name: 'no file', config: undefined, expected: undefined },
  { name: 'no JSON', config: '{"Name"', expected: undefined },
  { name: 'another shape', config: '[1]', expected: undefined },
])("docker's configuration with $name gives $expected", async ({ config, expected }) => {
  const directory = join(temporaryDirectory(), 'container');
  mkdirSync(directory);
  if (config !== undefined) writeFileSync(join(directory, 'config.v2.json'), config);
  expect(await readDockerName(join(directory, 'x-json.log'))).toBe(expected);
});
