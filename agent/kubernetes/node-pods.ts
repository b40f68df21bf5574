/**
 * The pods of this node, for others than the directory of containers: from the one list and watch that it has of them.
 *
 *   nodePods.follow({ pick, onReplace, onUpsert, onRemove })   ->   { isReady, skipped, problem(), stop() }, as a ListWatch
 */
import type { ListWatch, ListWatchOptions } from './list-watch.ts';

export type FollowedObjects = Pick<ListWatch<unknown>, 'isReady' | 'skipped' | 'problem' | 'stop'>;
export type ObjectFollower<Kept> = Pick<
  ListWatchOptions<Kept>,
  'pick' | 'onReplace' | 'onUpsert' | 'onRemove'
>;

export interface NodePods {
  /** The node's name. */
  readonly node: string;
  /** Tells of all pods, and of each change from then on. */
  follow<Kept>(follower: ObjectFollower<Kept>): FollowedObjects;
}

export function nodePods(node: string, watch: Pick<ListWatch<unknown>, 'listen' | 'problem'>): NodePods {
  return { node, follow: (follower) => new Followed(watch, follower) };
}

class Followed<Kept> implements FollowedObjects {
  readonly #watch: Pick<ListWatch<unknown>, 'problem'>;
  readonly #end: () => void;
  isReady = false;
  /** Objects that are not as expected: the others are known all the same. */
  skipped = 0;

  constructor(watch: Pick<ListWatch<unknown>, 'listen' | 'problem'>, follower: ObjectFollower<Kept>) {
    this.#watch = watch;
    this.#end = watch.listen({
      onList: (objects) => {
        const kept: Kept[] = [];
        this.skipped = 0;
        for (const object of objects) this.#take(() => kept.push(follower.pick(object)));
        this.isReady = true;
        follower.onReplace(kept);
      },
      onUpsert: (object) => this.#take(() => follower.onUpsert(follower.pick(object))),
      onRemove: (object) => this.#take(() => follower.onRemove(follower.pick(object))),
    });
  }

  problem(): string {
    return this.#watch.problem();
  }

  async stop(): Promise<void> {
    this.#end();
  }

  #take(take: () => void): void {
    try {
      take();
    } catch {
      this.skipped += 1; // Its owner tells of the number.
    }
  }
}
