/**
 * Apache Kafka as its Maven artifacts have it, on the JDK and `mvn` of the machine: fetched once for each version (45 MB to
 * test/.cache), then run with `java`.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** KAFKA_VERSION=3.9.1 runs the tests on another one. */
const kafkaVersion = process.env.KAFKA_VERSION ?? '4.3.1';
export const cacheDirectory = join(import.meta.dirname, '../.cache', `kafka-${kafkaVersion}`);
const libraryDirectory = join(cacheDirectory, 'lib');
const javaOptions = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
export const java = 'java';
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

/** Resolves Kafka and its run-time dependencies with Maven, once per version. */
export async function fetchLibraries(): Promise<void> {
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

export function javaArguments(mainClass: string): string[] {
  return [
    ...javaOptions,
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    join(libraryDirectory, '*'),
    mainClass,
  ];
}

/** Runs one of Kafka's own command line tools to its end. Must be called after a broker has been started. */
export async function runKafkaTool(mainClass: string, args: readonly string[]): Promise<void> {
  await run(java, [...javaArguments(mainClass), ...args]);
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

/** Moves a finished directory to where others look for it; whoever comes second keeps the first one's. */
export async function publish(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (!existsSync(to)) throw error;
  });
}
