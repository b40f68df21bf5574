/** Counts the stored log records of a run, by the number in each line. */
import { readNumberedLine } from '../numbered-line.ts';
import type { ApiClient } from './api-client.ts';
import { readLogPages } from './log-pages.ts';
import type { StoredRun } from './stored-run.ts';

/** LogQL wants one label that is not empty, and every record has this one. The space ends the run's name. */
export function runLogQuery(run: string): string {
  return `{service_name=~".+"} |= "run=${run} "`;
}

export async function checkLogs(api: ApiClient, stored: StoredRun): Promise<void> {
  const pages = readLogPages(api, {
    query: runLogQuery(stored.run),
    start: BigInt(stored.startUnixMs) * 1_000_000n,
    end: BigInt(stored.endUnixMs) * 1_000_000n,
    pageLines: stored.pageLines,
  });
  for await (const page of pages) {
    for (const [, text] of page) {
      const line = readNumberedLine(text);
      // Somebody else's line may quote a run's name: a query that is logged, for one.
      if (line === undefined || line.run !== stored.run) continue;
      const kind = line.sender.startsWith('otlp-logs-') ? 'otlp_logs' : 'log_file';
      stored.tallies.add(kind, line.sender, line.seq, line.isWhole);
    }
  }
}
