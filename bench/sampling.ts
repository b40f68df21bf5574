/**
 * What tail sampling costs by itself: spans per CPU-second that are read, decided and rewritten in one thread, and that an
 * agent splits by trace id. The best of several rounds counts.
 *
 *   node bench/sampling.ts [--rounds 5]
 */
import { parseArgs } from 'node:util';
import type { GatedRecord } from '#collector/kafka/partition-gate.ts';
import { policiesSchema } from '#collector/sampling/policy-schema.ts';
import { SamplingCounters } from '#collector/sampling/sampling-counters.ts';
import { TenantPolicies } from '#collector/sampling/tenant-policies.ts';
import { TraceWindow } from '#collector/sampling/trace-window.ts';
import { splitByTrace } from '#wire/kafka/split-request.ts';
import { tracesRequest } from './workload.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const spansPerRequest = 2000;
const requestCount = 60;
const requests = Array.from({ length: requestCount }, (_, index) => Buffer.from(tracesRequest(index)));
const spanCount = spansPerRequest * requestCount;
const byteCount = requests.reduce((total, { length }) => total + length, 0);

const attribute = { key: 'http.route', values: ['/pay', '/refund'] };
const cases = {
  'all kept': [{ name: 'all', type: 'always_sample' }],
  'status, latency and 10 % of the rest': [
    { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    { name: 'slow', type: 'latency', latency: { threshold_ms: 60_000 } },
    { name: 'rest', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
  ],
  'two attributes besides': [
    { name: 'route', type: 'string_attribute', string_attribute: attribute },
    {
      name: 'size',
      type: 'numeric_attribute',
      numeric_attribute: { key: 'http.response.size', min_value: 1e6 },
    },
    { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    { name: 'rest', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
  ],
  'half kept, by rewriting each span': [
    { name: 'half', type: 'probabilistic', probabilistic: { sampling_percentage: 50 } },
  ],
} as const;

function sample(policies: readonly unknown[]): number {
  const common = policiesSchema.parse(policies);
  const limits = { decisionWaitMs: 10_000, lateWaitMs: 30_000, heldBytesMax: 1e9, tracesMax: 1e6 };
  const window = new TraceWindow(
    limits,
    new TenantPolicies({ common, ofTenant: new Map() }, 1),
    new SamplingCounters(),
  );
  window.reset(0, 0);
  let keptBytes = 0;
  const store = (messages: readonly GatedRecord[]): void => {
    for (const { value, selection } of messages) keptBytes += selection!.select(value!)?.length ?? 0;
  };
  for (const [offset, value] of requests.entries()) {
    const message = { offset, timestampMs: offset * 1000, key: null, headers: {}, value };
    store(window.push([message], offset + 1, false, 0).messages);
  }
  store(window.flush().messages);
  return keptBytes;
}

function split(): number {
  let sent = 0;
  for (const bytes of requests) for (const part of splitByTrace(bytes, 8)) sent += part.bytes.length;
  return sent;
}

async function report(name: string, work: () => number | Promise<number>): Promise<void> {
  let bestMs = Number.POSITIVE_INFINITY;
  let outBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    outBytes = await work();
    const { user, system } = process.cpuUsage(before);
    bestMs = Math.min(bestMs, (user + system) / 1000);
  }
  const rate = (spanCount / bestMs / 1000).toFixed(2);
  const share = ((100 * outBytes) / byteCount).toFixed(0);
  console.log(`${name.padEnd(40)} ${rate} M spans per CPU-second, ${share} % of the bytes left`);
}

console.log(`${spanCount} spans, ${(byteCount / spanCount).toFixed(0)} B each, in ${requestCount} requests`);
for (const [name, policies] of Object.entries(cases)) await report(name, () => sample(policies));
await report('split by trace id into 8', split);
