/** Polls until a condition holds: how tests wait for what happens elsewhere, instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises';

const timeoutMsDefault = 25_000;
const intervalMs = 20;

/** Resolves with the first value that is neither undefined nor false. `describe` says in the failure what was seen. */
export async function eventually<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  describe: () => unknown = () => '',
  timeoutMs = timeoutMsDefault,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) {
      throw new Error(
        `it did not happen within ${timeoutMs} ms: ${look.toString()}; seen: ${JSON.stringify(describe())}`,
      );
    }
    await delay(intervalMs);
  }
}
