/**
 * What an agent counts as lost, from its /metrics page (Prometheus text format). Of bytes that it could not read it
 * does not know how many records they were.
 *
 *   sonde_agent_logs_lost_records_total{reason="deleted",...} 0
 *   sonde_agent_logs_lost_bytes_total{reason="deleted",...} 8510   ->  { deleted: { records: 0, bytes: 8510 } }
 */
import { errorMessage } from '#model/errors.ts';

const timeoutMs = 10_000;
const pageBytesMax = 16 * 1024 * 1024;
const linePattern =
  /^sonde_agent_logs_(lost_records|lost_bytes|records_rejected)_total(?:\{(.*)\})? (\d+(?:\.\d+)?(?:e\+?\d+)?)(?: \d+)?$/gm;

/** By reason. Records are those that the agent had read. */
export type AgentLosses = Readonly<Record<string, { readonly records: number; readonly bytes: number }>>;

/** Rejects where the page cannot be read, or is not an agent's. */
export async function readAgentLosses(
  agentUrl: string,
  headers: Readonly<Record<string, string>>,
): Promise<AgentLosses> {
  const url = agentUrl.endsWith('/metrics') ? agentUrl : `${agentUrl}/metrics`;
  let page = '';
  try {
    const response = await fetch(url, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      page += chunk;
      if (page.length > pageBytesMax) throw new Error(`it is over ${pageBytesMax} bytes`);
    }
  } catch (error) {
    throw new Error(`cannot read the agent's counters at ${url}: ${errorMessage(error)}`, { cause: error });
  }
  if (!page.includes('sonde_agent_logs_')) throw new Error(`${url} is not the page of a Sonde agent`);
  return parseAgentLosses(page);
}

export function parseAgentLosses(page: string): AgentLosses {
  const losses: Record<string, { records: number; bytes: number }> = {};
  for (const [, name, labels = '', value] of page.matchAll(linePattern)) {
    const reason = name === 'records_rejected' ? 'rejected' : (/\breason="([^"]*)"/.exec(labels)?.[1] ?? '');
    losses[reason] ??= { records: 0, bytes: 0 };
    losses[reason][name === 'lost_bytes' ? 'bytes' : 'records'] += Number(value);
  }
  return losses;
}

/** What was lost since `before`. A counter that is lower than it was began anew with its process. */
export function lossesSince(before: AgentLosses, now: AgentLosses): AgentLosses {
  const grown = (earlier: number, count: number): number => (count < earlier ? count : count - earlier);
  const entries = Object.entries(now).map(([reason, { records, bytes }]) => {
    const earlier = before[reason] ?? { records: 0, bytes: 0 };
    return [
      reason,
      { records: grown(earlier.records, records), bytes: grown(earlier.bytes, bytes) },
    ] as const;
  });
  return Object.fromEntries(entries.filter(([, { records, bytes }]) => records > 0 || bytes > 0));
}
