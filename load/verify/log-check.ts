/**
 * Counts the stored log records of a run, by the number in each line. Each service is read by itself: stores keep the
 * lines of one together, so that a page costs what it holds.
 */
import { readNumberedLine } from '../numbered-line.ts';
import type { ApiClient } from './api-client.ts';
import { readLogPages } from './log-pages.ts';
import type { StoredRun } from './stored-run.ts';

interface VectorAnswer {
  readonly data: {
    readonly result: readonly {
      readonly metric: { readonly service_name?: string };
      readonly value: readonly [number, string];
    }[];
  };
}

const readersAtOnce = 2;

/** Returns how many records of the run each service has. */
export async function countLogs(api: ApiClient, stored: StoredRun): Promise<Map<string, number>> {
  const seconds = Math.ceil((stored.endUnixMs - stored.startUnixMs) / 1000);
  // LogQL wants one label that is not empty, and every record has this one.
  const selection = `{service_name=~".+"} ${runFilter(stored.run)} [${seconds}s]`;
  const answer = await api.json<VectorAnswer>('/loki/api/v1/query', {
    query: `sum by (service_name) (count_over_time(${selection}))`,
    time: `${stored.endUnixMs}000000`,
  });
  if (answer === undefined) throw new Error('the API has no /loki/api/v1/query: is --url its base URL?');
  return new Map(
    answer.data.result.map(({ metric, value }) => [metric.service_name ?? '', Number(value[1])]),
  );
}

export async function checkLogs(api: ApiClient, stored: StoredRun): Promise<void> {
  const services = [...(await countLogs(api, stored)).keys()];
  const work = async (): Promise<void> => {
    for (let service = services.pop(); service !== undefined; service = services.pop()) {
      await checkService(api, stored, service);
    }
  };
  await Promise.all(Array.from({ length: readersAtOnce }, work));
}

async function checkService(api: ApiClient, stored: StoredRun, service: string): Promise<void> {
  const pages = readLogPages(api, {
    query: `{service_name=${JSON.stringify(service)}} ${runFilter(stored.run)}`,
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

/** The space ends the run's name. */
function runFilter(run: string): string {
  return `|= "run=${run} "`;
}
