/**
 * Goal: what a container's labels ask for happens to its lines: names, parser, joining, files inside of it.
 * Method: the log agent beside an engine on a real socket that answers as Docker does, and real files.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { DockerDirectory } from '#agent/docker/docker-directory.ts';
import { ContainerOrigins } from '#agent/logs/resource/container-origins.ts';
import { createLogProcessors } from '#agent/processors/log-processors.ts';
import { startDockerEngine } from '../../support/docker-engine.ts';
import { hexId } from '../../support/kube-objects.ts';
import { startAgent, temporaryDirectory, until } from './log-agent-run.ts';
import { dockerLine } from './log-text.ts';
import { RecordingTransport } from './recording-transport.ts';

const log = pino({ level: 'silent' });
const id = hexId('aa');

/** An agent that follows the json-file logs below a directory, and asks an engine about them. */
async function startBeside(directory: string, labels: Record<string, string>, mounts: object[] = []) {
  const socket = join(directory, 'docker.sock');
  const engine = await startDockerEngine(socket);
  await engine.put({ id, name: 'shop-web-1', labels, mounts }, '');
  const containers = new DockerDirectory({
    address: socket,
    isRequired: true,
    labels: [],
    keepDeletedMs: 60_000,
    log,
    changeQuietMs: 20,
  });
  onTestFinished(() => containers.stop());
  const transport = new RecordingTransport();
  const processors = await createLogProcessors([], {
    transport,
    tenant: 'acme',
    node: 'node-1',
    log,
    metricsIntervalMs: 1000,
    batchBytesMax: 100_000,
    directory,
  });
  onTestFinished(() => processors.stop({ drainMs: 0 }));
  const { agent } = startAgent(directory, {
    globs: [join(directory, 'containers/*/*-json.log')],
    transport,
    processors,
    origins: (rules, ledger) => new ContainerOrigins({ directory: containers, rules, hostPath: '/', ledger }),
  });
  return { agent, transport, engine };
}

function writeLog(directory: string, ...lines: string[]): void {
  mkdirSync(join(directory, 'containers', id), { recursive: true });
  writeFileSync(
    join(directory, 'containers', id, `${id}-json.log`),
    lines.map((line) => dockerLine(`${line}\n`)).join(''),
  );
}

test('names of compose, a parser and a rule for first lines', async () => {
  const directory = temporaryDirectory();
  writeLog(directory, '{"level":"warn","msg":"slow"}', '#2', 'more');
  const { transport } = await startBeside(directory, {
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': 'web',
    'sonde.logs.front': 'stdout',
    'sonde.parse': 'json',
    'sonde.multiline': '^[#{]',
  });
  await until('the records land', () => transport.records().length === 2);
  const [first, second] = transport.records();
  expect(first!.resource).toMatchObject({
    'service.name': 'web',
    'service.namespace': 'shop',
    'container.id': id,
    'container.name': 'shop-web-1',
    'sonde.store': 'front',
    'host.name': 'node-1',
  });
  expect(first!.attributes).toMatchObject({ level: 'warn', msg: 'slow', 'log.iostream': 'stdout' });
  expect(second!.body).toBe('#2\nmore');
});

test('a file in a volume is read for its label, and a container may keep its streams to itself', async () => {
  const directory = temporaryDirectory();
  writeLog(directory, 'stdout line');
  const volume = join(directory, 'volume');
  mkdirSync(join(volume, 'nginx'), { recursive: true });
  writeFileSync(join(volume, 'nginx/access.log'), 'GET /\nGET /cart\n');
  const mounts = [
    { Type: 'bind', Source: volume, Destination: '/var/log', Mode: '', RW: true, Propagation: 'rprivate' },
  ];
  const labels = { 'sonde.logs': 'false', 'aliyun.logs.access': '/var/log/nginx/*.log' };
  const { transport, agent } = await startBeside(directory, labels, mounts);
  await until('its lines land', () => transport.records().length === 2);
  expect(transport.bodies()).toEqual(['GET /', 'GET /cart']);
  expect(transport.records()[0]!.resource).toMatchObject({
    'container.name': 'shop-web-1',
    'sonde.store': 'access',
  });
  expect(agent.status().lost).toEqual([]);
});

test('a rule that cannot be followed is a problem that a person sees, and the lines are shipped all the same', async () => {
  const directory = temporaryDirectory();
  writeLog(directory, 'a line');
  const { transport, agent } = await startBeside(directory, {
    'sonde.parse': 'nginx',
    'sonde.logs.a': '/var/log/*.log',
    'sonde.multiline': '(',
  });
  await until('its line lands', () => transport.records().length === 1);
  await until('the problems are told', () => agent.status().problems.length > 0);
  const [problem] = agent.status().problems;
  expect(problem!.path).toBe('container shop-web-1');
  expect(problem!.message).toContain('parse: there is no parser "nginx", but json and logfmt');
  expect(problem!.message).toContain('sonde.multiline');
});
