/**
 * Goal: a real Docker engine's answers and events are understood, through its restart.
 * Method: a dockerd of its own, without network and images: containers are made, renamed and removed, and never run. It needs
 * root, mounts and cgroups, which not every machine of CI gives: without them the test is skipped, in CI too.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { DockerDirectory } from '#agent/docker/docker-directory.ts';
import { eventually } from '../../support/eventually.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-dockerd-'));
const socket = join(directory, 'docker.sock');
let engine: ChildProcess | undefined;

/** Returns what the command prints; undefined where it fails. */
function docker(args: readonly string[], input = Buffer.alloc(0)): string | undefined {
  const { status, stdout } = spawnSync('docker', ['-H', `unix://${socket}`, ...args], { input });
  return status === 0 ? stdout.toString().trim() : undefined;
}

async function startEngine(): Promise<boolean> {
  const child = spawn(
    'dockerd',
    [
      ...['--iptables=false', '--bridge=none', '--storage-driver=vfs', '-H', `unix://${socket}`],
      ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'pid')],
    ],
    { stdio: 'ignore' },
  );
  engine = child;
  let hasEnded = false;
  for (const event of ['error', 'exit']) child.once(event, () => (hasEnded = true));
  await eventually(() => hasEnded || docker(['version']) !== undefined);
  return !hasEnded;
}

async function stopEngine(): Promise<void> {
  const child = engine;
  if (child?.pid === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

const isHere = process.getuid?.() === 0 && spawnSync('dockerd', ['--version']).status === 0;
const isRunning = isHere && (await startEngine());
if (!isRunning) console.warn('SKIPPED: no dockerd can be started here: apt-get install docker.io, as root');
afterAll(async () => {
  await stopEngine();
  rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(!isRunning)('a real engine', () => {
  test('its containers are followed by its events, through its restart', { timeout: 120_000 }, async () => {
    // Two blocks of zeros are a tar file without entries.
    expect(docker(['import', '-', 'empty:1.2'], Buffer.alloc(1024))).toMatch(/^sha256:/);
    const create = (name: string, ...labels: string[]): string => {
      const flags = labels.flatMap((label) => ['--label', label]);
      return docker(['create', '--name', name, '--network', 'none', ...flags, 'empty:1.2', '/none'])!;
    };
    const compose = ['com.docker.compose.project=shop', 'com.docker.compose.service=web'];
    const web = create('shop-web-1', ...compose, 'sonde.logs.orders=stdout');
    const containers = new DockerDirectory({
      address: socket,
      isRequired: true,
      labels: ['tier'],
      keepDeletedMs: 60_000,
      log: pino({ level: 'silent' }),
      retry: { msMin: 20, msMax: 100 },
      changeQuietMs: 20,
    });
    const factsOf = (containerId: string) => containers.find({ containerId });
    const nameOf = (id: string) => factsOf(id)?.attributes['container.name'];
    await eventually(() => containers.isReady);
    expect(factsOf(web)).toMatchObject({
      attributes: {
        'container.id': web,
        'container.name': 'shop-web-1',
        'container.runtime.name': 'docker',
        'container.image.name': 'empty',
        'container.image.tags': '1.2',
        'service.name': 'web',
        'service.namespace': 'shop',
        'sonde.store': 'orders',
      },
      rules: { store: 'orders', isCollected: true, problems: [] },
    });
    const cart = create('cart', 'aliyun.logs.cart=stdout', 'tier=front');
    await eventually(() => nameOf(cart) === 'cart');
    expect(factsOf(cart)).toMatchObject({
      attributes: { 'container.label.tier': 'front' },
      rules: { store: 'cart' },
    });
    docker(['rename', 'cart', 'basket']);
    await eventually(() => nameOf(cart) === 'basket');
    docker(['rm', 'basket']);

    await stopEngine();
    await eventually(() => containers.problem() !== '');
    expect(nameOf(cart), 'the last lines of a removed container are still read').toBe('basket');
    expect(nameOf(web), 'what is known stays known while the engine is down').toBe('shop-web-1');
    expect(await startEngine()).toBe(true);
    const late = create('late');
    await eventually(() => nameOf(late) === 'late' && containers.problem() === '');
    await containers.stop();
  });
});
