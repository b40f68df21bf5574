/**
 * A real Apache Kafka for tests: one KRaft node (broker and controller in one) from its Maven artifacts, on the JDK
 * and `mvn` of the machine, or the cluster that KAFKA_BROKERS names. Start-up takes two to three seconds; the first
 * one on a machine also downloads 45 MB to test/.cache.
 *
 *   describeKafka('the consumer', (kafka) => { test('...', async () => connect(kafka().brokers)) });
 *   node test/support/kafka.ts      prints brokers=127.0.0.1:PORT and runs until Ctrl-C or the end of a piped stdin
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, fstatSync } from 'node:fs';
import { cp, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe } from 'vitest';
import { createKafka } from '#wire/kafka/client.ts';
import { silentKafkaLog } from './silent-kafka-log.ts';

export interface TestKafka {
  readonly brokers: string[];
  /** False for KAFKA_BROKERS: such a cluster cannot be killed or restarted. */
  readonly isOwned: boolean;
  /** Ends the broker as a power cut would: nothing is flushed. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and data after kill9. */
  start(): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

const kafkaVersion = '4.3.1';
const cacheDirectory = join(import.meta.dirname, '../.cache', `kafka-${kafkaVersion}`);
const libraryDirectory = join(cacheDirectory, 'lib');
const startTimeoutMs = 60_000;
const clusterId = 'c29uZGUtdGVzdC1rYWZrYQ';
const javaOptions = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const java = 'java';
const maven = 'mvn';
const run = promisify(execFile);

/** Returns why no Kafka can be had here, or undefined where one can. */
export function kafkaMissing(): string | undefined {
  if (process.env.KAFKA_BROKERS) return undefined;
  if (spawnSync(java, ['-version']).status !== 0) return 'no `java` (JDK 17 or newer) on the PATH';
  if (!existsSync(libraryDirectory) && spawnSync(maven, ['-version']).status !== 0) {
    return 'no `mvn` on the PATH to fetch Apache Kafka with';
  }
  return undefined;
}

/**
 * Returns a running Kafka, or undefined (with the reason printed) where none can be had; in CI that is an error.
 * `properties` are added to the broker's configuration.
 */
export async function startKafka(properties: Record<string, string> = {}): Promise<TestKafka | undefined> {
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
  const broker = await OwnedBroker.create(properties);
  await broker.start();
  return broker;
}

/** `describe` with a Kafka for the whole block. Skips loudly where there is none; fails instead in CI. */
export function describeKafka(
  name: string,
  body: (kafka: () => TestKafka) => void,
  properties: Record<string, string> = {},
): void {
  const missing = kafkaMissing();
  if (missing !== undefined && !process.env.CI) {
    console.warn(`SKIPPED: ${name}: ${missing}, and KAFKA_BROKERS is not set`);
  }
  describe.skipIf(missing !== undefined && !process.env.CI)(name, () => {
    let kafka: TestKafka | undefined;
    beforeAll(async () => {
      kafka = await startKafka(properties);
    }, 180_000);
    afterAll(async () => kafka?.stop());
    body(() => {
      if (kafka === undefined) throw new Error('BUG: a Kafka test ran before its broker started');
      return kafka;
    });
  });
}

/** Sends a file with Apache Kafka's own client, once with each codec; undefined where only KAFKA_BROKERS is there. */
export function runJavaProducer(
  broker: string,
  topic: string,
  path: string,
  codecs: readonly string[],
): { status: number | null; stderr: string } | undefined {
  if (!existsSync(libraryDirectory)) return undefined;
  const source = join(import.meta.dirname, 'JavaProducer.java');
  const { status, stderr } = spawnSync(java, [...javaArguments(source), broker, topic, path, ...codecs]);
  return { status, stderr: stderr.toString() };
}

class OwnedBroker implements TestKafka {
  readonly isOwned = true;
  readonly brokers: string[];
  readonly #directory: string;
  #pid = 0;
  #guard: ReturnType<typeof spawn> | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.brokers = [`127.0.0.1:${port}`];
  }

  static async create(properties: Record<string, string>): Promise<OwnedBroker> {
    const directory = await mkdtemp(join(tmpdir(), 'sonde-kafka-'));
    const [port, controllerPort] = await freePorts(2);
    await writeFile(
      join(directory, 'server.properties'),
      serverProperties(directory, port!, controllerPort!, properties),
    );
    await cp(await formattedStorage(), join(directory, 'data'), { recursive: true });
    return new OwnedBroker(directory, port!);
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

  async kill9(): Promise<void> {
    if (this.#guard === undefined) return;
    const guard = this.#guard;
    this.#guard = undefined;
    const ended = new Promise((resolve) => guard.once('exit', resolve));
    guard.stdin?.end();
    await ended;
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
  return { brokers, isOwned: false, kill9: refuse, start: refuse, stop: async () => undefined };
}

function javaArguments(mainClass: string): string[] {
  return [
    ...javaOptions,
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    join(libraryDirectory, '*'),
    mainClass,
  ];
}

function serverProperties(
  directory: string,
  port: number,
  controllerPort: number,
  extra: Record<string, string>,
): string {
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
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
    .join('');
}

/** Resolves Kafka and its run-time dependencies with Maven, once per version. */
async function fetchLibraries(): Promise<void> {
  if (existsSync(libraryDirectory)) return;
  await mkdir(cacheDirectory, { recursive: true });
  const directory = await mkdtemp(join(cacheDirectory, 'fetch-'));
  const dependency = (group: string, artifact: string, version: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
    <groupId>sonde.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
    <dependencies>
      ${dependency('org.apache.kafka', 'kafka_2.13', kafkaVersion)}
      ${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
    </dependencies></project>`;
  await writeFile(join(directory, 'pom.xml'), pom);
  const target = join(directory, 'lib');
  await run(
    maven,
    ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${target}`],
    {
      cwd: directory,
    },
  );
  await publish(target, libraryDirectory);
  await rm(directory, { recursive: true, force: true });
}

/** Returns a freshly formatted log directory to copy: formatting once saves a second of Java per broker. */
async function formattedStorage(): Promise<string> {
  const template = join(cacheDirectory, 'formatted');
  if (existsSync(template)) return template;
  const directory = await mkdtemp(join(cacheDirectory, 'format-'));
  const configPath = join(directory, 'server.properties');
  await writeFile(configPath, serverProperties(directory, 9092, 9093, {}));
  await run(java, [...javaArguments('kafka.tools.StorageTool'), 'format', '-t', clusterId, '-c', configPath]);
  await publish(join(directory, 'data'), template);
  await rm(directory, { recursive: true, force: true });
  return template;
}

/** Moves a finished directory to where others look for it; whoever comes second keeps the first one's. */
async function publish(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (!existsSync(to)) throw error;
  });
}

async function freePorts(count: number): Promise<number[]> {
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
    process.kill(pid, 0);
    return true;
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
