/**
 * Cancels running statements from a session of its own: KILL QUERY ... ASYNC. (SYNC hangs in the embedded engine.)
 * A statement is found by the call id in its log_comment setting.
 */
import type { EngineSession } from './engine-session.ts';

/** A statement may not be in system.processes yet, or be in a step that looks at the kill flag late: ask again. */
const killIntervalMsMin = 20;
const killIntervalMsMax = 1000;

export class QueryKiller {
  readonly #session: EngineSession;
  /** The admin session runs one statement at a time. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(session: EngineSession) {
    this.#session = session;
  }

  /** Asks the engine to stop `callId` again and again until `ended` has settled. Rejects where KILL itself fails. */
  async kill(callId: string, ended: Promise<unknown>): Promise<void> {
    let hasEnded = false;
    const end = ended.then(
      () => {
        hasEnded = true;
      },
      () => {
        hasEnded = true;
      },
    );
    for (let delayMs = killIntervalMsMin; !hasEnded; delayMs = Math.min(delayMs * 2, killIntervalMsMax)) {
      await this.#killOnce(callId);
      let timer: NodeJS.Timeout | undefined;
      const delay = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, delayMs);
      });
      await Promise.race([end, delay]);
      clearTimeout(timer);
    }
  }

  #killOnce(callId: string): Promise<void> {
    const killed = this.#tail.then(async () => {
      await this.#session.prepare({ callId: '', settings: {}, params: { call: callId } });
      await this.#session.run(`KILL QUERY WHERE Settings['log_comment'] = {call:String} ASYNC`, 'Null');
    });
    this.#tail = killed.catch(() => undefined);
    return killed;
  }
}
