/**
 * A sampling consumer in a process of its own that kills itself with SIGKILL before a step of the protocol, once it has
 * committed enough messages. What its store takes goes to a file, written through, as it would be durable in a real one.
 *
 *   node crashing-sampler.ts '{"brokers":[...],"groupId":"g","topics":{...},"policies":[...],"step":"committing",...}'
 */
import { appendFileSync } from 'node:fs';
import { type KafkaConsumerOptions, startKafkaConsumer } from '#collector/kafka/consumer.ts';
import { policiesSchema } from '#collector/sampling/policy-schema.ts';
import { createTailSampling } from '#collector/sampling/tail-sampling.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';

export interface SamplerOrder
  extends Pick<KafkaConsumerOptions, 'brokers' | 'groupId' | 'topics' | 'deadLetterTopic' | 'limits'> {
  readonly policies: readonly unknown[];
  readonly step: string;
  /** Messages that must be committed before the crash. */
  readonly after: number;
  /** One JSON line per insert: { token, bodies }, bodies in base64. */
  readonly path: string;
}

/** Ten seconds of the log's time, which tests make themselves. */
export function testSampling(policies: readonly unknown[], decisionWait = '10s') {
  return createTailSampling(
    {
      'sampling.policies': policiesSchema.parse(policies),
      'sampling.tenant_policies': {},
      'sampling.decision_wait': decisionWait,
      'sampling.late_wait': decisionWait === '10s' ? '60s' : decisionWait,
      'sampling.held_bytes_max': 64 * 1024 * 1024,
      'sampling.traces_max': 100_000,
    },
    true,
  )!;
}

if (process.argv[1] === import.meta.filename) {
  const order = JSON.parse(process.argv[2]!) as SamplerOrder;
  const consumer = await startKafkaConsumer({
    ...order,
    gates: testSampling(order.policies),
    log: silentKafkaLog,
    insertRun: async (requests, token) => {
      const bodies = requests.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
      appendFileSync(order.path, `${JSON.stringify({ token, bodies })}\n`, { flush: true });
      return requests.map(() => ({ accepted: 1, repeated: 0, rejections: [], decodeError: undefined }));
    },
    failpoint: (step, { signal }) => {
      if (signal === 'traces' && step === order.step && consumer.status().counters.messages >= order.after)
        process.kill(process.pid, 'SIGKILL');
    },
  });
}
