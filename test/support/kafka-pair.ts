/** A real Apache Kafka of two brokers: the second one has its own process and data, and joins the first one's cluster. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, startKafka, type TestKafka } from './kafka.ts';

export interface KafkaPair {
  /** Node 1, the controller. */
  readonly first: TestKafka;
  /** Node 2. */
  readonly second: TestKafka;
  stop(): Promise<void>;
}

const controllerProperties = (port: number): Record<string, string> => ({
  'controller.quorum.voters': `1@127.0.0.1:${port}`,
});

/** Undefined, with the reason printed, where no Kafka can be had. `properties` are for both. */
export async function startKafkaPair(
  properties: Record<string, string> = {},
): Promise<KafkaPair | undefined> {
  const [controllerPort] = await freePorts(1);
  const first = await startKafka({
    ...controllerProperties(controllerPort!),
    listeners: `PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:${controllerPort}`,
    ...properties,
  });
  if (first === undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'sonde-kafka-second-'));
  copyFormatted(join(directory, 'data'));
  const second = await startKafka({
    ...controllerProperties(controllerPort!),
    'process.roles': 'broker',
    'node.id': '2',
    listeners: 'PLAINTEXT://127.0.0.1:{port}',
    'log.dirs': join(directory, 'data'),
    ...properties,
  });
  if (second === undefined) throw new Error('BUG: a second broker is missing where there was a first');
  return {
    first,
    second,
    async stop() {
      await second.stop();
      await first.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The storage that the first broker was formatted with, as that of node 2. */
function copyFormatted(target: string): void {
  const cache = join(import.meta.dirname, '../.cache');
  const version = process.env.KAFKA_VERSION ?? '';
  const name = readdirSync(cache).find((each) => each.startsWith(`kafka-${version}`));
  cpSync(join(cache, name!, 'formatted'), target, { recursive: true });
  const path = join(target, 'meta.properties');
  const text = readFileSync(path, 'utf8')
    .replace(/^node\.id=.*$/m, 'node.id=2')
    .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`);
  writeFileSync(path, text);
}
