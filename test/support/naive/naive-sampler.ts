/**
 * Tail sampling by its definition, on decoded requests and with an object for each trace: what the sampler on bytes is
 * compared with. Its policies are fixed: see naivePolicies.
 */
import { decodeTraceRequest, encodeTraceRequest, type ProtoObject } from './otlp-proto.ts';

/** What `judge` does, as configuration. */
export const naivePolicies = `
- name: health
  type: drop
  drop:
    drop_sub_policy:
      - { name: route, type: string_attribute, string_attribute: { key: http.route, values: [/health] } }
      - { name: no_errors, type: not, not: { not_sub_policy: [{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }] } }
- { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
- { name: slow_root, type: latency, latency: { threshold_ms: 5000, of: root } }
- name: half_of_large
  type: and
  and:
    and_sub_policy:
      - { name: large, type: numeric_attribute, numeric_attribute: { key: size, min_value: 10 }  }
      - { name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
- { name: few, type: rate_limiting, rate_limiting: { spans_per_second: 0.3 } }
- { name: quarter, type: probabilistic, probabilistic: { sampling_percentage: 25 } }
- { name: long, type: latency, latency: { threshold_ms: 8000 } }
`;

export interface NaiveMessage {
  readonly offset: number;
  readonly timestampMs: number;
  readonly value: Buffer;
}

export interface NaiveLimits {
  readonly decisionWaitMs: number;
  readonly lateWaitMs: number;
  readonly heldBytesMax: number;
  /** What a message takes beside its value. */
  readonly overheadBytes: number;
}

interface Trace {
  readonly id: string;
  readonly openedMs: number;
  readonly spans: { readonly span: ProtoObject; readonly attributes: ProtoObject[] }[];
  verdict: Verdict | undefined;
}

type Verdict = { readonly isKept: false } | { readonly isKept: true; readonly threshold: bigint | 'unknown' };

interface Held {
  readonly message: NaiveMessage;
  readonly logMs: number;
  readonly opened: Trace[];
  readonly traces: Trace[];
}

const range = 1n << 56n;
const half = range / 2n;
const threeQuarters = range - range / 4n;

/** Returns what is left of each message, by offset; undefined for nothing. Messages that have to wait are let go at the end. */
export function sampleNaively(
  messages: readonly NaiveMessage[],
  limits: NaiveLimits,
): ReadonlyMap<number, ProtoObject | undefined> {
  const results = new Map<number, ProtoObject | undefined>();
  let remembered: Trace[] = [];
  let held: Held[] = [];
  let logMs = Number.NEGATIVE_INFINITY;
  const rates = new Map<number, number>();
  const bytesOf = ({ message }: Held): number => message.value.length + limits.overheadBytes;
  const release = (): void => {
    const oldest = held[0]!;
    held = held.slice(1);
    for (const trace of oldest.opened) trace.verdict = judge(trace, limits, rates);
    results.set(oldest.message.offset, filter(oldest));
  };
  for (const message of messages) {
    logMs = Math.max(logMs, message.timestampMs);
    while (held.length > 0 && logMs - held[0]!.logMs >= limits.decisionWaitMs) release();
    remembered = remembered.filter(
      ({ openedMs }) => logMs - openedMs < limits.decisionWaitMs + limits.lateWaitMs,
    );
    const entry: Held = { message, logMs, opened: [], traces: [] };
    for (const { span, attributes } of spansOf(message.value)) {
      const id = Buffer.from(span.traceId as Uint8Array).toString('hex');
      let trace = remembered.find((each) => each.id === id);
      if (trace === undefined) {
        trace = { id, openedMs: logMs, spans: [], verdict: undefined };
        remembered.push(trace);
        entry.opened.push(trace);
      }
      if (trace.verdict === undefined) trace.spans.push({ span, attributes });
      entry.traces.push(trace);
    }
    held.push(entry);
    while (held.reduce((total, each) => total + bytesOf(each), 0) > limits.heldBytesMax) release();
  }
  while (held.length > 0) release();
  return results;
}

function spansOf(value: Buffer): { span: ProtoObject; attributes: ProtoObject[] }[] {
  const { resourceSpans = [] } = decodeTraceRequest(value) as { resourceSpans?: ProtoObject[] };
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }: ProtoObject) =>
    (scopeSpans as ProtoObject[]).flatMap(({ spans = [] }) =>
      (spans as ProtoObject[]).map((span) => ({
        span,
        attributes: [
          ...((span.attributes as ProtoObject[]) ?? []),
          ...(((resource as ProtoObject)?.attributes as ProtoObject[]) ?? []),
        ],
      })),
    ),
  );
}

function judge({ id, openedMs, spans }: Trace, limits: NaiveLimits, rates: Map<number, number>): Verdict {
  const has = (key: string, test: (value: ProtoObject) => boolean): boolean =>
    spans.some(({ attributes }) =>
      attributes.some((each) => each.key === key && test((each.value ?? {}) as ProtoObject)),
    );
  const startOf = (span: ProtoObject): bigint => BigInt((span.startTimeUnixNano as string) ?? 0);
  const endOf = (span: ProtoObject): bigint => BigInt((span.endTimeUnixNano as string) ?? 0);
  const lastsAtLeast = (of: ProtoObject[], ns: bigint): boolean => {
    const starts = of.map(startOf).filter((time) => time > 0n);
    const ends = of.map(endOf);
    if (starts.length === 0) return false;
    const first = starts.reduce((a, b) => (a < b ? a : b));
    const last = ends.reduce((a, b) => (a > b ? a : b));
    return last - first >= ns;
  };
  const isFailed = spans.some(({ span }) => (span.status as ProtoObject)?.code === 2);
  if (!isFailed && has('http.route', (value) => value.stringValue === '/health')) return { isKept: false };
  const explicit = spans
    .map(({ span }) => /rv:([0-9a-f]{14})/.exec((span.traceState as string) ?? '')?.[1])
    .find((digits) => digits !== undefined);
  const random = BigInt(`0x${explicit ?? id.slice(18)}`);
  const roots = spans.filter(({ span }) => ((span.parentSpanId as Uint8Array)?.length ?? 0) === 0);
  const isSlowRoot = roots.some(({ span }) => lastsAtLeast([span], 5_000_000_000n));
  const isLarge = has('size', (value) => Number(value.intValue ?? value.doubleValue ?? Number.NaN) >= 10);
  const all = spans.map(({ span }) => span);
  const isSure = isFailed || isSlowRoot || lastsAtLeast(all, 8_000_000_000n);
  const isHalf = isLarge && random >= half;
  const isQuarter = random >= threeQuarters;
  const threshold = isSure ? 0n : isHalf ? half : isQuarter ? threeQuarters : 'unknown';
  // The rate is charged only where nothing before it kept the trace.
  if (isFailed || isSlowRoot || isHalf) return { isKept: true, threshold };
  const window = Math.floor((openedMs + limits.decisionWaitMs) / 10_000);
  const used = rates.get(window) ?? 0;
  if (used < 3) {
    rates.set(window, used + spans.length);
    return { isKept: true, threshold };
  }
  return threshold === 'unknown' ? { isKept: false } : { isKept: true, threshold };
}

function filter({ message, traces }: Held): ProtoObject | undefined {
  const request = decodeTraceRequest(message.value) as { resourceSpans?: ProtoObject[] };
  let index = 0;
  const resourceSpans = (request.resourceSpans ?? []).flatMap((resource: ProtoObject) => {
    const scopeSpans = ((resource.scopeSpans as ProtoObject[]) ?? []).flatMap((scope) => {
      const spans = ((scope.spans as ProtoObject[]) ?? []).flatMap((span) => {
        const verdict = traces[index++]!.verdict!;
        return verdict.isKept ? [edited(span, verdict.threshold)] : [];
      });
      return spans.length === 0 ? [] : [{ ...scope, spans }];
    });
    return scopeSpans.length === 0 ? [] : [{ ...resource, scopeSpans }];
  });
  // As it comes out of a decoder, whatever it went in as.
  return resourceSpans.length === 0
    ? undefined
    : (decodeTraceRequest(encodeTraceRequest({ ...request, resourceSpans })) as ProtoObject);
}

/** Trace states of tests are '' or `ot=` with `th` before `rv`, then others. */
function edited(span: ProtoObject, threshold: bigint | 'unknown'): ProtoObject {
  const before = (span.traceState as string) ?? '';
  if (threshold === 0n) return span;
  const earlier = /th:([0-9a-f]+)/.exec(before)?.[1];
  if (threshold !== 'unknown' && earlier !== undefined && BigInt(`0x${earlier.padEnd(14, '0')}`) >= threshold)
    return span;
  const [own, ...others] = before.startsWith('ot=') ? before.split(',') : ['', ...before.split(',')];
  const random = /rv:[0-9a-f]+/.exec(own!)?.[0];
  const digits = threshold === 'unknown' ? '' : threshold.toString(16).padStart(14, '0').replace(/0+$/, '');
  const pairs = [digits === '' ? '' : `th:${digits}`, random ?? ''].filter((pair) => pair !== '');
  if (threshold === 'unknown' && earlier === undefined) return span;
  const members = [pairs.length === 0 ? '' : `ot=${pairs.join(';')}`, ...others];
  return { ...span, traceState: members.filter((member) => member !== '').join(',') };
}
