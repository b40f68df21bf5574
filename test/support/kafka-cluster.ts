/**
 * Three real Kafka brokers, each a controller too, on this machine: what is written is on two of them before it is
 * acknowledged, and on three soon after. One of them may be away.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { type BrokerPlace, freePorts, type OwnedBroker, startOwnedBrokers } from './kafka.ts';
import { kafkaMissing } from './kafka-installation.ts';

export interface TestCluster {
  readonly brokers: string[];
  /** The broker of that id: 1, 2 or 3. */
  node(id: number): OwnedBroker;
}

const nodeCount = 3;
const properties = {
  'default.replication.factor': String(nodeCount),
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': String(nodeCount),
  'transaction.state.log.replication.factor': String(nodeCount),
  // Long enough for a busy machine, short enough for a test.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'replica.lag.time.max.ms': '3000',
  'replica.socket.timeout.ms': '3000',
  'controller.quorum.fetch.timeout.ms': '3000',
};

/**
 * `describe` with a cluster for the whole block. Skips loudly where none can be started, and with KAFKA_BROKERS, whose
 * brokers are not ours to kill; fails instead in CI where there is no Kafka at all.
 */
export function describeKafkaCluster(name: string, body: (cluster: () => TestCluster) => void): void {
  const missing = process.env.KAFKA_BROKERS
    ? 'the brokers of KAFKA_BROKERS are not ours to kill'
    : kafkaMissing();
  const isSkipped = missing !== undefined && (process.env.KAFKA_BROKERS !== undefined || !process.env.CI);
  if (isSkipped) console.warn(`SKIPPED: ${name}: ${missing}`);
  describe.skipIf(isSkipped)(name, () => {
    let nodes: OwnedBroker[] = [];
    beforeAll(async () => {
      if (missing !== undefined) throw new Error(`Kafka tests must run in CI: ${missing}`);
      nodes = await startOwnedBrokers(await places(), properties);
    }, 180_000);
    afterAll(async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    });
    body(() => ({
      brokers: nodes.flatMap((node) => node.brokers),
      node(id) {
        const found = nodes[id - 1];
        if (found === undefined) throw new Error(`BUG: there is no broker ${id}`);
        return found;
      },
    }));
  });
}

async function places(): Promise<BrokerPlace[]> {
  const ports = await freePorts(2 * nodeCount);
  const [data, controllers] = [ports.slice(0, nodeCount), ports.slice(nodeCount)];
  const voters = controllers.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(',');
  return data.map((port, index) => ({
    nodeId: index + 1,
    port,
    controllerPort: controllers[index]!,
    voters,
  }));
}
