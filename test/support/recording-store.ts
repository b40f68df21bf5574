/**
 * A RunInserter that remembers what it was given and, like the store, lands a token once. What a body "decodes" to is
 * its text; a body that begins with "poison" cannot be decoded.
 */
import type { RequestOutcome, RunInserter, RunRequest } from '#collector/run.ts';

export class RecordingStore {
  /** Bodies by token, in order of arrival. */
  readonly landed = new Map<string, readonly string[]>();
  /** Every call's token, repeats included. */
  readonly calls: string[] = [];
  /** Called before a run lands; what it throws is the insert's failure. */
  beforeInsert: (requests: readonly RunRequest[], token: string) => void | Promise<void> = () => undefined;

  readonly insertRun: RunInserter = async (requests, token) => {
    await this.beforeInsert(requests, token);
    this.calls.push(token);
    const bodies = requests.map(({ bytes }) => Buffer.from(bytes).toString());
    if (!this.landed.has(token))
      this.landed.set(
        token,
        bodies.filter((body) => !isPoison(body)),
      );
    return bodies.map(outcome);
  };

  /** All bodies that landed, sorted. */
  bodies(): string[] {
    return [...this.landed.values()].flat().sort();
  }
}

function isPoison(body: string): boolean {
  return body.startsWith('poison');
}

function outcome(body: string): RequestOutcome {
  return isPoison(body)
    ? { accepted: 0, repeated: 0, rejections: [], decodeError: 'unknown field 99 at byte 0' }
    : { accepted: 1, repeated: 0, rejections: [], decodeError: undefined };
}
