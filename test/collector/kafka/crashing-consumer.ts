/**
 * A consumer in a process of its own that kills itself with SIGKILL before a step of the protocol, once it has stored
 * enough messages. What its store takes goes to a file, written through, as it would be durable in a real one.
 *
 *   node crashing-consumer.ts '{"brokers":[...],"groupId":"g","topics":{...},"step":"committing","after":10,"path":"x"}'
 */
import { appendFileSync } from 'node:fs';
import { type KafkaConsumerOptions, startKafkaConsumer } from '#collector/kafka/consumer.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';

export interface CrashOrder
  extends Pick<KafkaConsumerOptions, 'brokers' | 'groupId' | 'topics' | 'deadLetterTopic' | 'limits'> {
  readonly step: string;
  /** Messages that must be committed before the crash. */
  readonly after: number;
  /** One JSON line per insert: { token, bodies }. */
  readonly path: string;
}

const order = JSON.parse(process.argv[2]!) as CrashOrder;
const consumer = await startKafkaConsumer({
  ...order,
  log: silentKafkaLog,
  insertRun: async (requests, token) => {
    const bodies = requests.map(({ bytes }) => Buffer.from(bytes).toString());
    appendFileSync(order.path, `${JSON.stringify({ token, bodies })}\n`, { flush: true });
    return requests.map(() => ({ accepted: 1, repeated: 0, rejections: [], decodeError: undefined }));
  },
  failpoint: (step) => {
    if (step === order.step && consumer.status().counters.messages >= order.after)
      process.kill(process.pid, 'SIGKILL');
  },
});
