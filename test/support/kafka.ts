/**
 * A real Apache Kafka for tests: one KRaft node (broker and controller in one) from its Maven artifacts
 * (kafka-installation.ts), or the cluster that KAFKA_BROKERS names. Start-up takes two to three seconds.
 *
 *   describeKafka('the consumer', (kafka) => { test('...', async () => connect(kafka().brokers)) });
 *   node test/support/kafka.ts      prints brokers=127.0.0.1:PORT and runs until Ctrl-C or the end of a piped stdin
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, fstatSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { createKafka } from '#wire/kafka/client.ts';
import {
  cacheDirectory,
  fetchLibraries,
  java,
  javaArguments,
  kafkaMissing,
  publish,
  runKafkaTool,
} from './kafka-installation.ts';
import { silentKafkaLog } from './silent-kafka-log.ts';

export interface TestKafka {
  readonly brokers: string[];
  /** False for KAFKA_BROKERS: such a cluster cannot be killed or restarted. */
  readonly isOwned: boolean;
  /** The broker's process; undefined for KAFKA_BROKERS. */
  readonly pid: number | undefined;
  /** Where a proxy finds the broker, if one was announced; else 0. */
  readonly proxiedPort: number;
  /** Ends the broker as a power cut would: nothing is flushed. */
  kill9(): Promise<void>;
  /** Ends the broker as an operator does: it hands over what it leads, and closes its files. */
  terminate(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

/** Where a broker stands among others, and what clients are told. */
export interface BrokerPlace {
  readonly nodeId: number;
  readonly port: number;
  readonly controllerPort: number;
  /** controller.quorum.voters */
  readonly voters: string;
  /** A second way in: clients that come by `listens` are sent to `advertised`, where a proxy stands. */
  readonly proxied?: { readonly listens: number; readonly advertised: number };
}

const startTimeoutMs = 60_000;
const clusterId = 'c29uZGUtdGVzdC1rYWZrYQ';
/**
 * Returns a running Kafka, or undefined (with the reason printed) where none can be had; in CI that is an error.
 * `properties` are added to the broker's configuration; `{port}` and `{controllerPort}` in them are this broker's ports.
 * `proxyPort` is where a proxy listens for some of the clients.
 */
export async function startKafka(
  properties: Record<string, string> = {},
  proxyPort?: number,
): Promise<TestKafka | undefined> {
  const missing = kafkaMissing();
  if (missing !== undefined) {
    if (process.env.CI)
      throw new Error(`Kafka tests must run in CI: ${missing}, and KAFKA_BROKERS is not set`);
    console.warn(`SKIPPED: tests on a real Kafka: ${missing}, and KAFKA_BROKERS is not set`);
    return undefined;
  }
  const external = process.env.KAFKA_BROKERS;
  if (external) return externalKafka(external.split(','));
  await fetchLibraries();
  const broker = await OwnedBroker.create(await loneBroker(proxyPort), properties);
  await broker.start();
  return broker;
}

/**
 * Starts brokers that know each other, all at once: the first ones wait for a majority. Must only be called where
 * kafkaMissing() is undefined. `properties` are added to each one's configuration.
 */
export async function startOwnedBrokers(
  places: readonly BrokerPlace[],
  properties: Record<string, string>,
): Promise<OwnedBroker[]> {
  await fetchLibraries();
  const brokers = await Promise.all(places.map((place) => OwnedBroker.create(place, properties)));
  try {
    await Promise.all(brokers.map((broker) => broker.start()));
  } catch (error) {
    await Promise.all(brokers.map((broker) => broker.stop()));
    throw error;
  }
  return brokers;
}

async function loneBroker(proxyPort: number | undefined): Promise<BrokerPlace> {
  const [port, controllerPort, listens] = (await freePorts(3)) as [number, number, number];
  return {
    nodeId: 1,
    port,
    controllerPort,
    voters: `1@127.0.0.1:${controllerPort}`,
    ...(proxyPort === undefined ? {} : { proxied: { listens, advertised: proxyPort } }),
  };
}

/** `describe` with a Kafka for the whole block. Skips loudly where there is none; fails instead in CI. */
export function describeKafka(
  name: string,
  body: (kafka: () => TestKafka) => void,
  properties: Record<string, string> = {},
  proxyPort: () => Promise<number | undefined> = async () => undefined,
): void {
  const missing = kafkaMissing();
  if (missing !== undefined && !process.env.CI) {
    console.warn(`SKIPPED: ${name}: ${missing}, and KAFKA_BROKERS is not set`);
  }
  describe.skipIf(missing !== undefined && !process.env.CI)(name, () => {
    let kafka: TestKafka | undefined;
    beforeAll(async () => {
      kafka = await startKafka(properties, await proxyPort());
    }, 180_000);
    afterAll(async () => kafka?.stop());
    body(() => {
      if (kafka === undefined) throw new Error('BUG: a Kafka test ran before its broker started');
      return kafka;
    });
  });
}

export class OwnedBroker implements TestKafka {
  readonly isOwned = true;
  readonly brokers: string[];
  readonly proxiedPort: number;
  #directory: string;
  #pid = 0;
  #guard: ReturnType<typeof spawn> | undefined;

  private constructor(directory: string, { port, proxied }: BrokerPlace) {
    this.#directory = directory;
    this.brokers = [`127.0.0.1:${port}`];
    this.proxiedPort = proxied?.listens ?? 0;
  }

  static async create(place: BrokerPlace, properties: Record<string, string>): Promise<OwnedBroker> {
    const directory = await mkdtemp(join(tmpdir(), 'sonde-kafka-'));
    await writeFile(join(directory, 'server.properties'), serverProperties(directory, place, properties));
    const data = join(directory, 'data');
    await cp(await formattedStorage(), data, { recursive: true });
    // A broker is refused where another one has its identity.
    const identity = join(data, 'meta.properties');
    await writeFile(
      identity,
      (await readFile(identity, 'utf8'))
        .replace(/^node\.id=.*$/m, `node.id=${place.nodeId}`)
        .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`),
    );
    return new OwnedBroker(directory, place);
  }

  /** Moves its data to another directory and forgets the old one, as a machine is replaced and its disk kept. */
  async moveData(): Promise<void> {
    const from = this.#directory;
    const to = await mkdtemp(join(tmpdir(), 'sonde-kafka-'));
    await cp(from, to, { recursive: true });
    await rm(from, { recursive: true, force: true });
    const path = join(to, 'server.properties');
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll(from, to));
    this.#directory = to;
  }

  async start(): Promise<void> {
    const log = await open(join(this.#directory, 'broker.log'), 'a');
    // The shell outlives a killed test process just long enough to end the broker: its stdin closes with us.
    const guard = spawn(
      'sh',
      [
        '-c',
        '"$@" & echo $!; cat >/dev/null; kill -9 $!',
        'sh',
        java,
        ...javaArguments('kafka.Kafka'),
        join(this.#directory, 'server.properties'),
      ],
      { stdio: ['pipe', 'pipe', log.fd] },
    );
    this.#guard = guard;
    this.#pid = await new Promise<number>((resolve, reject) => {
      guard.once('error', reject);
      guard.stdout!.once('data', (data: Buffer) => resolve(Number(data.toString().split('\n')[0])));
    });
    await log.close();
    await this.#untilReady();
  }

  get pid(): number {
    return this.#pid;
  }

  async kill9(): Promise<void> {
    if (this.#guard === undefined) return;
    const guard = this.#guard;
    this.#guard = undefined;
    const ended = new Promise((resolve) => guard.once('exit', resolve));
    guard.stdin?.end();
    await ended;
  }

  async terminate(): Promise<void> {
    process.kill(this.#pid, 'SIGTERM');
    const deadline = Date.now() + startTimeoutMs;
    while (isAlive(this.#pid) && Date.now() < deadline) await sleep(50);
    await this.kill9();
  }

  /** Stops the process where it stands, with all its connections open; it goes on with resume(). */
  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill9();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #untilReady(): Promise<void> {
    const client = createKafka({ brokers: this.brokers, clientId: 'sonde-test', log: silentKafkaLog });
    const deadline = Date.now() + startTimeoutMs;
    for (;;) {
      const admin = client.admin({ retry: { retries: 0 } });
      try {
        await admin.connect();
        if ((await admin.describeCluster()).brokers.length > 0) return;
      } catch (error) {
        if (!isAlive(this.#pid) || Date.now() > deadline) {
          const log = await readFile(join(this.#directory, 'broker.log'), 'utf8');
          throw new Error(`Kafka did not start: ${String(error)}; its last words: ${log.slice(-2000)}`);
        }
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
      await sleep(50);
    }
  }
}

function externalKafka(brokers: string[]): TestKafka {
  const refuse = () => Promise.reject(new Error('a Kafka from KAFKA_BROKERS cannot be killed or started'));
  return {
    brokers,
    isOwned: false,
    pid: undefined,
    proxiedPort: 0,
    kill9: refuse,
    terminate: refuse,
    start: refuse,
    stop: async () => undefined,
  };
}

function serverProperties(
  directory: string,
  { nodeId, port, controllerPort, voters, proxied }: BrokerPlace,
  extra: Record<string, string>,
): string {
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`;
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': voters,
    listeners,
    ...(proxied === undefined
      ? {}
      : {
          listeners: `${listeners},PROXIED://127.0.0.1:${proxied.listens}`,
          'advertised.listeners': `${listeners},PROXIED://127.0.0.1:${proxied.advertised}`,
        }),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '500',
    // A broker that was killed is let in again when its old session is over.
    'broker.session.timeout.ms': '1000',
    'broker.heartbeat.interval.ms': '200',
    'auto.create.topics.enable': 'false',
    'log.cleaner.enable': 'false',
    ...extra,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
    .replaceAll('{port}', String(port))
    .replaceAll('{controllerPort}', String(controllerPort));
}

/** Returns a freshly formatted log directory to copy: formatting once saves a second of Java per broker. */
async function formattedStorage(): Promise<string> {
  const template = join(cacheDirectory, 'formatted');
  if (existsSync(template)) return template;
  const directory = await mkdtemp(join(cacheDirectory, 'format-'));
  const configPath = join(directory, 'server.properties');
  await writeFile(
    configPath,
    serverProperties(
      directory,
      { nodeId: 1, port: 9092, controllerPort: 9093, voters: '1@127.0.0.1:9093' },
      {},
    ),
  );
  await runKafkaTool('kafka.tools.StorageTool', ['format', '-t', clusterId, '-c', configPath]);
  await publish(join(directory, 'data'), template);
  await rm(directory, { recursive: true, force: true });
  return template;
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function isAlive(pid: number): boolean {
  try {
    // One that has ended may wait for its parent to ask how.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const kafka = await startKafka();
  if (kafka === undefined) process.exit(1);
  console.log(`brokers=${kafka.brokers.join(',')}`);
  const end = () => void kafka.stop().then(() => process.exit(0));
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const input = fstatSync(0);
  if (input.isFIFO() || input.isSocket()) process.stdin.once('end', end).resume();
}
