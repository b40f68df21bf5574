/**
 * What an agent counts as lost, from its /metrics page (Prometheus text format).
 *
 *   sonde_agent_logs_lost_records_total{otel_scope_name="sonde",reason="deleted"} 12  ->  { deleted: 12 }
 */
import { errorMessage } from '#model/errors.ts';

const timeoutMs = 10_000;
const pageBytesMax = 16 * 1024 * 1024;
const linePattern =
  /^sonde_agent_logs_(lost_records|records_rejected)_total(?:\{(.*)\})? (\d+(?:\.\d+)?(?:e\+?\d+)?)(?: \d+)?$/gm;

/** Records by reason. Rejects where the page cannot be read, or is not an agent's. */
export async function readAgentLosses(
  agentUrl: string,
  headers: Readonly<Record<string, string>>,
): Promise<Record<string, number>> {
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

export function parseAgentLosses(page: string): Record<string, number> {
  const losses: Record<string, number> = {};
  for (const [, name, labels = '', value] of page.matchAll(linePattern)) {
    const reason = name === 'records_rejected' ? 'rejected' : (/\breason="([^"]*)"/.exec(labels)?.[1] ?? '');
    losses[reason] = (losses[reason] ?? 0) + Number(value);
  }
  return losses;
}

/** What was lost since `before`. A counter that is lower than it was began anew with its process. */
export function lossesSince(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): Record<string, number> {
  const entries = Object.entries(now).map(([reason, count]) => {
    const earlier = before[reason] ?? 0;
    return [reason, count < earlier ? count : count - earlier] as const;
  });
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}
