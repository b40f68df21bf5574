/**
 * One directory of several: a node may run Kubernetes on Docker, and containers beside its pods. The first that knows a
 * container says who it is.
 */
import type { NodePods } from '../kubernetes/node-pods.ts';
import type { ContainerDirectory, ContainerFacts, ContainerPlace } from './container-facts.ts';

export class CombinedDirectory implements ContainerDirectory {
  readonly #directories: readonly ContainerDirectory[];
  #parts: readonly ReadonlyMap<string, ContainerFacts>[] = [];
  #all: ReadonlyMap<string, ContainerFacts> = new Map();

  /** The pods of this node as the cluster has them that this process runs in; undefined where nobody watches them. */
  readonly nodePods: NodePods | undefined;

  constructor(directories: readonly ContainerDirectory[], nodePods?: NodePods) {
    this.#directories = directories;
    this.nodePods = nodePods;
  }

  get isReady(): boolean {
    return this.#directories.every(({ isReady }) => isReady);
  }

  find(place: ContainerPlace): ContainerFacts | undefined {
    for (const directory of this.#directories) {
      const facts = directory.find(place);
      if (facts !== undefined) return facts;
    }
    return undefined;
  }

  all(): ReadonlyMap<string, ContainerFacts> {
    const parts = this.#directories.map((directory) => directory.all());
    if (parts.length !== this.#parts.length || parts.some((part, index) => part !== this.#parts[index])) {
      this.#parts = parts;
      // The first is written last: it wins.
      this.#all = new Map(parts.toReversed().flatMap((part) => [...part]));
    }
    return this.#all;
  }

  onChange(listener: () => void): void {
    for (const directory of this.#directories) directory.onChange(listener);
  }

  problem(): string {
    return this.#directories
      .map((directory) => directory.problem())
      .filter((text) => text !== '')
      .join('; ');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#directories.map((directory) => directory.stop()));
  }
}
