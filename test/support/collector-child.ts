/**
 * A collector in a process of its own that kills itself with SIGKILL at a step of the protocol, or ends well with its
 * standard input. Each line of output is a fact: "joined", "stored 40".
 *
 *   node collector-child.ts '{"brokers":[...],"storeUrl":"http://...","crash":{"at":"committing","after":10},...}'
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type CollectorDoors, type CollectorPlan, startFaultCollector } from './fault-collector.ts';

/** Before a step, while a block travels to the store, or when it has landed and nobody has heard of it. */
export type CrashPoint =
  | 'recovering'
  | 'reading'
  | 'intending'
  | 'inserting'
  | 'sending'
  | 'landed'
  | 'committing';

export interface ChildOrder extends CollectorPlan {
  readonly crash?: {
    readonly at: CrashPoint;
    /** Messages that must be committed before. */
    readonly after: number;
    /** The table whose block is meant, where it is one that travels. */
    readonly table?: string;
  };
}

const order = JSON.parse(process.argv[2]!) as ChildOrder;
const { crash } = order;
const isDue = (): boolean =>
  crash !== undefined && collector.consumer.status().counters.messages >= crash.after;
const die = (): void => void process.kill(process.pid, 'SIGKILL');

const doors: CollectorDoors = {
  failpoint(step) {
    if (step === crash?.at && isDue()) die();
  },
  async insert(block, token, store) {
    const isMeant = (crash?.table ?? block.table) === block.table;
    const inserted = store.insert(block, token);
    if (crash?.at === 'sending' && isMeant && isDue()) {
      // Long enough for the request to leave, not for its answer: both outcomes must be right.
      await delay(2);
      die();
    }
    await inserted;
    if (crash?.at === 'landed' && isMeant && isDue()) die();
  },
};
const collector = await startFaultCollector(order, doors);
process.stdin.resume().once('end', () => void collector.stop().then(() => process.exit(0)));
