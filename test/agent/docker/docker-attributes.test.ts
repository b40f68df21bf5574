/**
 * Goal: a Docker or compose container has the attributes that OpenTelemetry's conventions give it, and no secret.
 * Method: whole inspections, and tables of what differs.
 */
import { expect, test } from 'vitest';
import { compileNameGlobs } from '#agent/containers/label-globs.ts';
import { dockerFacts } from '#agent/docker/docker-attributes.ts';
import { readDockerContainer } from '#agent/docker/docker-record.ts';
import { type ContainerParts, inspectedContainer } from '../../support/docker-engine.ts';
import { hexId } from '../../support/kube-objects.ts';

const id = hexId('aa');
const factsOf = (parts: Partial<ContainerParts> = {}, labels: readonly string[] = ['*', '!com.docker.*']) =>
  dockerFacts(
    readDockerContainer(inspectedContainer({ id, name: 'shop-web-1', ...parts })),
    'docker',
    compileNameGlobs(labels),
  );

test('a container of a compose project', () => {
  expect(factsOf().attributes).toEqual({
    'container.id': id,
    'container.name': 'shop-web-1',
    'container.runtime.name': 'docker',
    'container.image.name': 'nginx',
    'container.image.tags': '1.27',
    'container.image.id': `sha256:${hexId('5b0d')}`,
    'container.label.com.docker.compose.container-number': '1',
    'container.label.com.docker.compose.project': 'shop',
    'container.label.com.docker.compose.service': 'web',
    'container.label.maintainer': 'NGINX Docker Maintainers <docker-maint@nginx.com>',
    'service.name': 'web',
    'service.namespace': 'shop',
    'service.version': '1.27',
  });
});

test.each<[string, Partial<ContainerParts>, Record<string, string | undefined>]>([
  ['its name', { labels: null }, { 'service.name': 'shop-web-1', 'service.namespace': undefined }],
  [
    'its labels',
    {
      labels: {
        'resource.opentelemetry.io/service.name': 'front',
        'resource.opentelemetry.io/container.id': 'forged',
        'com.docker.compose.service': 'web',
        'org.opencontainers.image.version': '1.27.3',
      },
    },
    { 'service.name': 'front', 'service.version': '1.27.3', 'container.id': id },
  ],
  [
    'an image that goes by its id',
    { image: `sha256:${hexId('5b0d')}` },
    { 'container.image.name': undefined, 'service.version': undefined },
  ],
])('a service by %s', (_name, parts, expected) => {
  const { attributes } = factsOf(parts);
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, attributes[key]]))).toEqual(expected);
});

test('nothing of the environment is kept but the variables that are rules', () => {
  const record = readDockerContainer(
    inspectedContainer({
      id,
      name: 'a',
      env: ['DB_PASSWORD=secret', 'aliyun_logs_web=stdout', 'aliyun_logs_bad'],
    }),
  );
  expect(record.environment).toEqual({ aliyun_logs_web: 'stdout' });
  expect(JSON.stringify(record)).not.toContain('secret');
  expect(dockerFacts(record, 'docker', () => false)).toMatchObject({
    attributes: { 'sonde.store': 'web' },
    rules: { store: 'web' },
  });
});

test('mounts and the root are paths of the host', () => {
  const volume = {
    Type: 'volume',
    Name: 'logs',
    Source: '/var/lib/docker/volumes/logs/_data',
    Destination: '/logs',
    Driver: 'local',
    Mode: 'z',
    RW: true,
    Propagation: '',
  };
  const tmpfs = { Type: 'tmpfs', Source: '', Destination: '/run', Mode: '', RW: true, Propagation: '' };
  const facts = factsOf({ mounts: [volume, tmpfs] });
  expect(facts.mounts).toEqual([
    { source: '/var/lib/docker/volumes/logs/_data', target: '/logs' },
    { source: '', target: '/run' },
  ]);
  expect(facts.rootPath).toBe('/var/lib/docker/overlay2/aa000000/merged');
  expect(factsOf({ mergedDir: undefined, pid: 12 }).rootPath).toBe('/proc/12/root');
  expect(factsOf({ mergedDir: undefined, pid: 0 }).rootPath, 'a container that has ended').toBeUndefined();
});

test('labels are bounded, and what is left out is said', () => {
  const labels = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`l${index}`, 'x']));
  const { attributes, rules } = factsOf({ labels: { ...labels, long: 'x'.repeat(5000) } });
  expect(Object.keys(attributes).filter((name) => name.startsWith('container.label.'))).toHaveLength(200);
  expect(rules.problems).toEqual([
    'labels: 101 are not kept: there is room for 200 of at most 4096 characters',
  ]);
});

test("podman's container of a directory has no image", () => {
  const record = readDockerContainer({
    ...inspectedContainer({ id, name: 'a', image: '' }),
    Image: 'sha256:',
  });
  const { attributes } = dockerFacts(record, 'podman', () => false);
  expect(Object.keys(attributes).filter((name) => name.startsWith('container.image.'))).toEqual([]);
});

test.each([
  ['no object', [], 'an inspected container is not as expected'],
  ['a short id', { ...inspectedContainer({ id, name: 'a' }), Id: 'aa' }, 'Id: expected 64 hex digits'],
  ['no configuration', { Id: id }, 'Config: Invalid input'],
])('%s is an error that names the field', (_name, object, problem) =>
  expect(() => readDockerContainer(object)).toThrow(problem),
);
