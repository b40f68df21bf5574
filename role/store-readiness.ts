/**
 * Whether the store answers, for /ready. A ping waits in the same queue as everyone's queries: while it waits, what
 * the ping before said holds, so that slow queries do not make a process look dead to its orchestrator.
 */
import { errorMessage } from '#model/errors.ts';
import type { Store } from '#store/store.ts';

/** How long a request to /ready waits for an answer of its own: Kubernetes gives a probe one second. */
const patienceMs = 200;
/** A store that says nothing for so long is taken for dead: queries end within query.timeout_ms by default. */
const silenceMsMax = 120_000;

/** Pings once, then returns a function that resolves with the reasons against, none where the store is well. */
export function createStoreReadiness(
  store: Pick<Store, 'ping'>,
  limits: { readonly patienceMs: number; readonly silenceMsMax: number } = { patienceMs, silenceMsMax },
): () => Promise<readonly string[]> {
  let answer: readonly string[] = ['the store has not answered yet'];
  let running: { readonly startedMs: number; readonly done: Promise<void> } | undefined;
  const ping = async (): Promise<void> => {
    try {
      await store.ping();
      answer = [];
    } catch (error) {
      answer = [`the store does not answer: ${errorMessage(error)}`];
    } finally {
      running = undefined;
    }
  };
  const pingOnce = () => {
    running ??= { startedMs: performance.now(), done: ping() };
    return running;
  };
  pingOnce();
  return async () => {
    const { startedMs, done } = pingOnce();
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, limits.patienceMs);
    await Promise.race([done, patience.promise]);
    clearTimeout(timer);
    const silenceMs = performance.now() - startedMs;
    if (running?.startedMs !== startedMs || silenceMs < limits.silenceMsMax) return answer;
    return [`the store has not answered for ${Math.round(silenceMs / 1000)} s`];
  };
}
