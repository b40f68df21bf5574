/**
 * Asks a running Sonde for every numbered record of the demo and reports gaps and repeats, by run and container.
 *
 *   node test/demo/verify.ts [--url http://127.0.0.1:4319] [--run abc123]
 *   ->  run=abc123 checkout: 5120 records, 0 missing, 0 repeated
 */
import { parseArgs } from 'node:util';

interface LokiAnswer {
  readonly data: { readonly result: readonly { readonly values: readonly (readonly [string, string])[] }[] };
}

export interface SequenceReport {
  readonly run: string;
  readonly service: string;
  readonly records: number;
  readonly missing: number;
  readonly repeated: number;
}

const services = ['web', 'checkout', 'payments', 'inventory'];
const pageLines = 5000;

/** Reads all lines of a service forward, page by page. Pages overlap at their edges: entries are known by time and text. */
async function readLines(url: string, service: string): Promise<string[]> {
  const lines: string[] = [];
  let start = '0';
  let seenAtStart = new Map<string, number>();
  for (;;) {
    const query = new URLSearchParams({
      query: `{service_name="${service}"} |= "seq="`,
      start,
      end: String(BigInt(Date.now() + 60_000) * 1_000_000n),
      limit: String(pageLines),
      direction: 'forward',
    });
    const response = await fetch(`${url}/loki/api/v1/query_range?${query}`);
    if (!response.ok) throw new Error(`${service}: ${response.status} ${await response.text()}`);
    const { data } = (await response.json()) as LokiAnswer;
    const entries = data.result
      .flatMap(({ values }) => values)
      .sort(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1));
    const last = entries.at(-1)?.[0];
    // The next page starts at the last time of this one, so what was already read at that time is skipped there.
    const skip = new Map(seenAtStart);
    for (const [time, line] of entries) {
      const left = time === start ? (skip.get(line) ?? 0) : 0;
      if (left > 0) skip.set(line, left - 1);
      else lines.push(line);
    }
    if (last === undefined || entries.length < pageLines) return lines;
    if (last === start) throw new Error(`${service}: more than ${pageLines} lines share one time`);
    seenAtStart = new Map();
    for (const [time, line] of entries)
      if (time === last) seenAtStart.set(line, (seenAtStart.get(line) ?? 0) + 1);
    start = last;
  }
}

/** One report per run and service, in the order in which runs were first seen. */
export async function verifySequences(url: string): Promise<SequenceReport[]> {
  const reports: SequenceReport[] = [];
  for (const service of services) {
    const runs = new Map<string, number[]>();
    for (const line of await readLines(url, service)) {
      const run = /run"?[=:]"?([0-9a-f]{6})/.exec(line)?.[1];
      const seq = /seq=(\d+)/.exec(line)?.[1];
      if (run === undefined || seq === undefined) continue;
      const numbers = runs.get(run) ?? [];
      numbers.push(Number(seq));
      runs.set(run, numbers);
    }
    for (const [run, numbers] of runs) {
      const distinct = new Set(numbers);
      const highest = numbers.reduce((a, b) => Math.max(a, b), 0);
      reports.push({
        run,
        service,
        records: numbers.length,
        missing: highest - distinct.size,
        repeated: numbers.length - distinct.size,
      });
    }
  }
  return reports;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { url: { type: 'string', default: 'http://127.0.0.1:4319' }, run: { type: 'string' } },
  });
  const reports = (await verifySequences(values.url)).filter(
    ({ run }) => values.run === undefined || run === values.run,
  );
  for (const { run, service, records, missing, repeated } of reports) {
    console.log(`run=${run} ${service}: ${records} records, ${missing} missing, ${repeated} repeated`);
  }
  const isExact =
    reports.length > 0 && reports.every(({ missing, repeated }) => missing === 0 && repeated === 0);
  process.exitCode = isExact ? 0 : 1;
}
