/**
 * A run in which a request did not fit: what did not is inserted after it, in runs of its own.
 *
 *   run of messages 5 6 7, in which 6 is a misfit  ->  insert(5 6 7, token), insert(6, token/6)
 *
 * The requests of a run share the bounds of a block, so that one that is innocent may be what exceeds them. Alone it is
 * taken, or refused for what itself holds: nothing else becomes a dead letter.
 */
import type { RequestOutcome, RunInserter, RunRequest } from '../run.ts';

/**
 * Inserts a run and returns what became of each request; none of them is a misfit. Offsets name the additional runs, so
 * that a repeat gives them the same tokens. Rejects with UnavailableError.
 */
export async function insertWithMisfits(
  insertRun: RunInserter,
  requests: readonly RunRequest[],
  sources: readonly { readonly offset: number }[],
  token: string,
): Promise<readonly RequestOutcome[]> {
  const outcomes = [...(await insertRun(requests, token))];
  for (const [index, { misfit }] of outcomes.entries()) {
    if (misfit === undefined) continue;
    const alone = { ...requests[index], bytes: misfit.bytes };
    [outcomes[index]] = await insertRun([alone], `${token}/${sources[index].offset}`);
  }
  return outcomes;
}
