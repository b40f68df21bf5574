/**
 * Which topic it is that we read: a topic that is deleted and made anew under its name has another id. Asked of the
 * partition's leader, which shows the new id before it serves a message of the new log.
 */
import type { Broker } from './cluster.ts';
import type { PartitionPlace } from './partition-context.ts';
import { topicIdOf } from './topic-id-request.ts';

interface Look {
  answer: Promise<string>;
  hasBegun: boolean;
}

export class TopicIds {
  readonly #brokerOf: (place: PartitionPlace) => Promise<Broker>;
  /** The last look at each topic by each broker. */
  readonly #looks = new Map<string, Look>();

  constructor(brokerOf: (place: PartitionPlace) => Promise<Broker>) {
    this.#brokerOf = brokerOf;
  }

  /**
   * Returns the id that the topic has now: the request goes out after the call. Calls that come while one is under way
   * share the next. '' where the broker is too old to tell. Rejects with the broker's error.
   */
  async idNow(place: PartitionPlace): Promise<string> {
    const broker = await this.#brokerOf(place);
    const name = `${broker.nodeId}/${place.topic}`;
    const last = this.#looks.get(name);
    if (last?.hasBegun === false) return await last.answer;
    const look: Look = { answer: Promise.resolve(''), hasBegun: false };
    look.answer = (async () => {
      // The one under way may have left before what its caller wants to know about.
      await last?.answer.catch(() => undefined);
      look.hasBegun = true;
      try {
        return await topicIdOf(broker, place.topic);
      } finally {
        if (this.#looks.get(name) === look) this.#looks.delete(name);
      }
    })();
    this.#looks.set(name, look);
    return await look.answer;
  }
}
