/** Parts of a running process: started in order, stopped in reverse, and all stopped when a later one fails to start. */
import { errorMessage } from '#model/errors.ts';

interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

export class Parts {
  readonly #started: Part[] = [];

  /** Remembers how to stop what was just started. */
  add(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
  }

  /** Stops in reverse order of starting. One part that fails does not keep the others running; rejects at the end. */
  async stop(): Promise<void> {
    const failures: string[] = [];
    for (const part of this.#started.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => failures.push(`${part.name}: ${errorMessage(error)}`));
    }
    if (failures.length > 0) throw new Error(failures.join('; '));
  }
}
