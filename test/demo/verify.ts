/**
 * Asks a running Sonde for every numbered record of the demo and reports gaps and repeats, by run and container.
 *
 *   node test/demo/verify.ts [--url http://127.0.0.1:4319] [--run abc123]
 *   ->  run=abc123 checkout: 5120 records, 0 missing, 0 repeated
 */
import { parseArgs } from 'node:util';
import { ApiClient } from '#load/verify/api-client.ts';
import { readLogPages } from '#load/verify/log-pages.ts';

export interface SequenceReport {
  readonly run: string;
  readonly service: string;
  readonly records: number;
  readonly missing: number;
  readonly repeated: number;
}

const services = ['web', 'checkout', 'payments', 'inventory'];
const pageLines = 5000;
/** Nobody lets the demo run for longer. */
const lookbackMs = 30 * 86_400_000;

async function readLines(url: string, service: string): Promise<string[]> {
  const lines: string[] = [];
  const now = Date.now();
  const range = {
    query: `{service_name="${service}"} |= "seq="`,
    start: BigInt(now - lookbackMs) * 1_000_000n,
    end: BigInt(now + 60_000) * 1_000_000n,
    pageLines,
  };
  for await (const page of readLogPages(new ApiClient(url, {}), range)) {
    for (const [, line] of page) lines.push(line);
  }
  return lines;
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
