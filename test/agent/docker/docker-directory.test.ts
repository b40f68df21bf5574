/**
 * Goal: what is known of containers is what the engine has, through restarts of the engine and gaps in its events.
 * Method: an engine on a real unix socket that answers as Docker and podman do, with faults made on demand.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { DockerDirectory, type DockerDirectoryOptions } from '#agent/docker/docker-directory.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { hexId } from '../../support/kube-objects.ts';

async function socketPath(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-docker-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'docker.sock');
}

function follow(address: string, changes: Partial<DockerDirectoryOptions> = {}) {
  const warnings: string[] = [];
  const directory = new DockerDirectory({
    address,
    isRequired: true,
    labels: ['*', '!com.docker.*'],
    keepDeletedMs: 60_000,
    log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
    retry: { msMin: 5, msMax: 20 },
    changeQuietMs: 20,
    ...changes,
  });
  onTestFinished(() => directory.stop());
  let count = 0;
  directory.onChange(() => {
    count += 1;
  });
  return { directory, warnings, changes: () => count };
}

const web = { id: hexId('aa'), name: 'shop-web-1' };
const nameOf = (directory: DockerDirectory, id: string) =>
  directory.find({ containerId: id })?.attributes['container.name'];

test('containers are listed once and then followed by events', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  await engine.put(web, '');
  const { directory } = follow(path);
  await eventually(() => directory.isReady && engine.streams === 1);
  expect(engine.requests.map((url) => url.replace(/\?.*/, ''))).toEqual([
    '/version',
    '/v1.51/containers/json',
    `/v1.51/containers/${web.id}/json`,
    '/v1.51/events',
  ]);
  expect(JSON.parse(new URL(engine.requests[3]!, 'http://e').searchParams.get('filters')!).type).toEqual([
    'container',
  ]);
  await engine.put({ id: hexId('bb'), name: 'shop-cart-1' });
  await eventually(() => nameOf(directory, hexId('bb')) === 'shop-cart-1');
  await engine.put({ id: hexId('bb'), name: 'renamed' }, 'rename');
  await eventually(() => nameOf(directory, hexId('bb')) === 'renamed');
  await engine.remove(hexId('bb'));
  await engine.put({ id: hexId('cc'), name: 'last' }, 'create');
  await eventually(() => nameOf(directory, hexId('cc')) === 'last');
  expect(nameOf(directory, hexId('bb')), 'the last lines of a removed container are still read').toBe(
    'renamed',
  );
  const asked = engine.requests.length;
  for (let index = 0; index < 10_000; index += 1) directory.find({ containerId: web.id });
  expect([...directory.all().keys()].sort()).toEqual([web.id, hexId('bb'), hexId('cc')].sort());
  expect(engine.requests.length, 'a look-up asks nobody').toBe(asked);
});

test('what happens between the list and the stream of events is not missed', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  await engine.put(web, '');
  engine.afterList = async () => {
    await engine.put({ id: hexId('bb'), name: 'between' });
    await engine.put({ ...web, name: 'renamed' }, 'rename');
  };
  const { directory } = follow(path);
  await eventually(
    () => nameOf(directory, hexId('bb')) === 'between' && nameOf(directory, web.id) === 'renamed',
  );
  expect(engine.count(/containers\/json/)).toBe(1);
});

test('an answer that is older than the end of its container does not bring it back', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  engine.pieceBytes = 10_000;
  let now = 0;
  const { directory } = follow(path, { now: () => now, keepDeletedMs: 1000, sweepIntervalMs: 10 });
  await eventually(() => directory.isReady && engine.streams === 1);
  engine.beforeInspection = async () => {
    await engine.remove(web.id);
    // By the time that this one is known, the removal was seen.
    await engine.put({ id: hexId('bb'), name: 'next' });
    await eventually(() => nameOf(directory, hexId('bb')) === 'next');
  };
  await engine.put(web);
  await eventually(() => nameOf(directory, web.id) === 'shop-web-1');
  now = 2000;
  await eventually(() => nameOf(directory, web.id) === undefined);
  expect(nameOf(directory, hexId('bb'))).toBe('next');
});

test('after a gap in the events all is listed again', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  await engine.put(web);
  await engine.put({ id: hexId('dd'), name: 'gone' });
  let now = 0;
  const { directory } = follow(path, { now: () => now, keepDeletedMs: 1000, sweepIntervalMs: 20 });
  await eventually(() => directory.isReady && engine.streams === 1);
  engine.dropStreams();
  await engine.put({ ...web, name: 'renamed' }, '');
  await engine.remove(hexId('dd'), false);
  await eventually(() => nameOf(directory, web.id) === 'renamed');
  expect(nameOf(directory, hexId('dd'))).toBe('gone');
  now = 2000;
  await eventually(() => nameOf(directory, hexId('dd')) === undefined);
  expect(nameOf(directory, web.id)).toBe('renamed');
});

test('an engine that is restarted is a problem only until it is back', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  await engine.put(web);
  const { directory, warnings } = follow(path, { isRequired: false });
  await eventually(() => directory.isReady);
  await engine.close();
  await eventually(() => directory.problem() === `Docker at ${path}: connect ENOENT ${path}`);
  expect(nameOf(directory, web.id), 'what was known stays known').toBe('shop-web-1');
  const next = await startDockerEngine(path);
  await next.put({ ...web, name: 'after' });
  await eventually(() => nameOf(directory, web.id) === 'after' && directory.problem() === '');
  // Not one for each try: another only where the engine was back for a moment.
  expect(warnings.length).toBeLessThan(4);
});

test('a container that cannot be inspected is asked for again', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  const { directory } = follow(path);
  await eventually(() => directory.isReady && engine.streams === 1);
  engine.brokenInspections = 1;
  await engine.put(web);
  await eventually(() => nameOf(directory, web.id) === 'shop-web-1');
  await eventually(() => directory.problem() === '');
});

test('no socket is no problem, unless Docker is required, and an engine may come later', async () => {
  const path = await socketPath();
  const { directory } = follow(path, { isRequired: false });
  await eventually(() => directory.isReady);
  expect(directory.problem()).toBe('');
  const required = follow(path).directory;
  await eventually(() => required.problem() === `Docker at ${path}: connect ENOENT ${path}`);
  expect(required.isReady).toBe(false);
  const engine = await startDockerEngine(path);
  await engine.put(web);
  await eventually(() => nameOf(directory, web.id) && nameOf(required, web.id));
  expect(required.problem()).toBe('');
});

test('podman over TCP, with an older API, is asked in its version', async () => {
  const engine = await startDockerEngine();
  engine.apiVersion = '1.41';
  engine.isPodman = true;
  await engine.put({ ...web, mergedDir: undefined, pid: 77 }, '');
  const { directory } = follow(`tcp://127.0.0.1:${engine.port}`);
  await eventually(() => directory.isReady);
  await eventually(() => engine.streams === 1);
  expect(engine.count(/^\/v1\.41\//)).toBe(3);
  expect(directory.find({ containerId: web.id })).toMatchObject({
    attributes: { 'container.runtime.name': 'podman' },
    rootPath: '/proc/77/root',
  });
  await engine.remove(web.id);
  await engine.put({ id: hexId('ee'), name: 'other' });
  await eventually(() => nameOf(directory, hexId('ee')));
});

test('an engine that is too old, and a socket of somebody else, say so', async () => {
  const engine = await startDockerEngine();
  engine.apiVersion = '1.12';
  const { directory } = follow(`tcp://127.0.0.1:${engine.port}`);
  await eventually(() => directory.problem().endsWith("the engine's API is 1.12, older than 1.24"));
  engine.apiVersion = 'none';
  await eventually(() => directory.problem().endsWith('is this the socket of Docker or podman?'));
  expect(() => follow('docker.sock')).toThrow(
    'agent.docker.socket is "docker.sock": give a path such as /var/run/docker.sock, or tcp://host:2375',
  );
});

test('many starts at once are one call of a listener, and more containers than fit are counted', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  engine.pieceBytes = 10_000;
  for (let index = 0; index < 30; index += 1) {
    await engine.put({ id: hexId((0x100 + index).toString(16)), name: `c-${index}` }, '');
  }
  const { directory, changes } = follow(path, { changeQuietMs: 300, containersMax: 20 });
  await eventually(() => directory.isReady && changes() > 0);
  expect(changes()).toBe(1);
  expect(directory.size).toBe(20);
  expect(directory.problem()).toBe('Docker has more containers than are kept: 10 were left out');
});

test('a label that is no rule is said when it is seen, once', async () => {
  const path = await socketPath();
  const engine = await startDockerEngine(path);
  await engine.put({ ...web, labels: { 'sonde.rate-limit': 'fast' } }, '');
  const { directory, warnings } = follow(path);
  await eventually(() => directory.isReady && engine.streams === 1);
  await engine.event('update', web.id);
  await eventually(() => engine.count(/containers\/aa.*json/) === 2);
  expect(warnings).toHaveLength(1);
  expect(JSON.parse(warnings[0]!)).toMatchObject({
    container: 'shop-web-1',
    problems: ['sonde.rate-limit: "fast" is no rate such as 500KB/s or 1MiB/s'],
  });
});
