/** What the collector does for its store while it runs: samples are compacted, and searching is made fast. */
import { durationMs } from '#model/config/option.ts';
import { errorMessage } from '#model/errors.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import { SearchIndexer } from '#store/search-indexes.ts';
import type { Store } from '#store/store.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

/** How often the load is looked at that decides when indexes are built. */
const searchIndexIntervalMs = 60_000;

/** Both change tables where the rows are, part by part: on a cluster that is not done yet. */
export function startUpkeep(context: RoleContext, store: Store, parts: Parts): void {
  const { config, log } = context;
  if (config.store.cluster !== '') {
    log.warn({ cluster: config.store.cluster }, 'samples are not compacted on a cluster yet');
    return;
  }
  startSearchIndexing(context, store, parts);
  if (config.store['compaction.enabled']) startCompaction(context, store, parts);
}

function startSearchIndexing({ log }: RoleContext, store: Store, parts: Parts): void {
  const indexer = new SearchIndexer({ store, now: Date.now });
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    // One that takes longer than the interval is not joined by another.
    running ??= indexer
      .tick()
      .catch((error: unknown) => log.error({ error: errorMessage(error) }, 'search indexes were not built'))
      .finally(() => {
        running = undefined;
      });
  }, searchIndexIntervalMs);
  parts.add('search indexes', async () => {
    clearInterval(timer);
    await running;
  });
}

function startCompaction({ config, log }: RoleContext, store: Store, parts: Parts): void {
  const abort = new AbortController();
  const latenessMs = durationMs(config.store['compaction.lateness']);
  let running: Promise<void> | undefined;
  const compact = (): void => {
    // One that takes longer than the interval is not joined by another.
    running ??= compactClosed(store, { latenessMs, nowMs: Date.now(), log }, abort.signal)
      .then(
        () => undefined,
        (error: unknown) => {
          if (!abort.signal.aborted) log.error({ error: errorMessage(error) }, 'compacting samples failed');
        },
      )
      .finally(() => {
        running = undefined;
      });
  };
  compact();
  const timer = setInterval(compact, durationMs(config.store['compaction.interval']));
  parts.add('compaction', async () => {
    clearInterval(timer);
    abort.abort(new Error('the process stops'));
    await running;
  });
}
