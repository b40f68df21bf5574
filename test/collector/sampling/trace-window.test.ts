/**
 * Goal: what goes out of the window is what the definition says, however messages were fetched, and a new owner that
 * reads the log again comes to the same.
 * Method: random logs with late spans and timestamps out of order, compared with a naive sampler of objects; then the
 * clock, the bounds and the counts by example.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { GatedRecord } from '#collector/kafka/partition-gate.ts';
import { policiesSchema } from '#collector/sampling/policy-schema.ts';
import { rateWindowMs } from '#collector/sampling/rate-meter.ts';
import { SamplingCounters } from '#collector/sampling/sampling-counters.ts';
import { TenantPolicies } from '#collector/sampling/tenant-policies.ts';
import { TraceWindow, type WindowLimits } from '#collector/sampling/trace-window.ts';
import { naivePolicies, sampleNaively } from '#test/support/naive/naive-sampler.ts';
import { decodeTraceRequest, encodeTraceRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';

const limitsDefault: WindowLimits = {
  decisionWaitMs: 10_000,
  lateWaitMs: 20_000,
  heldBytesMax: 1e9,
  tracesMax: 1e6,
};
const overheadBytes = 512;
const startMs = 1_700_000_000_000;

class TestWindow {
  readonly counters = new SamplingCounters();
  readonly window: TraceWindow;
  /** What of each message is stored, by offset. */
  readonly stored = new Map<number, ProtoObject | undefined>();
  readonly untouched = new Set<number>();
  nowMs = 0;

  constructor(limits: Partial<WindowLimits> = {}, policies = naivePolicies) {
    const common = policiesSchema.parse(parse(policies));
    const tenants = new TenantPolicies({ common, ofTenant: new Map([['free', []]]) }, 1);
    this.window = new TraceWindow({ ...limitsDefault, ...limits }, tenants, this.counters);
    this.window.reset(0, 0);
  }

  push(messages: readonly GatedRecord[], isAtEnd = false): number {
    const end = messages.at(-1) === undefined ? this.window.position : messages.at(-1)!.offset + 1;
    const { messages: released, position } = this.window.push(messages, end, isAtEnd, this.nowMs);
    for (const message of released) this.#store(message);
    return position;
  }

  /** The log is quiet for so long. */
  wait(ms: number): number {
    let position = this.push([], true);
    for (let waited = 0; waited < ms; waited += 1000) {
      this.nowMs += Math.min(1000, ms - waited);
      position = this.push([], true);
    }
    return position;
  }

  flush(): void {
    for (const message of this.window.flush().messages) this.#store(message);
  }

  #store({ offset, value, selection }: GatedRecord): void {
    expect(this.stored.has(offset)).toBe(false);
    const selected = selection === undefined ? value! : selection.select(value!);
    selection?.count();
    if (selected === value) this.untouched.add(offset);
    this.stored.set(
      offset,
      selected === undefined ? undefined : decodeTraceRequest(new Uint8Array(selected)),
    );
  }
}

interface Step {
  readonly advanceMs: number;
  readonly spans: readonly SpanPlan[];
}
interface SpanPlan {
  readonly trace: number;
  readonly kind: string;
  readonly state: string;
  readonly group: number;
}

const randomness = Buffer.alloc(7, 0xc1).toString('hex');
const spanPlan: fc.Arbitrary<SpanPlan> = fc.record({
  trace: fc.nat(9),
  kind: fc.constantFrom(
    'plain',
    'plain',
    'child',
    'child',
    'error',
    'slow',
    'late end',
    'health',
    'large',
    'timeless',
  ),
  state: fc.constantFrom('', '', '', 'ot=th:e', 'ot=th:4', `ot=th:8;rv:${randomness},x=1`, 'x=1'),
  group: fc.nat(2),
});
const logOf = (minLength: number, maxLength: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.record({
      advanceMs: fc.integer({ min: -3000, max: 6000 }),
      spans: fc.array(spanPlan, { maxLength: 6 }),
    }),
    { minLength, maxLength },
  );
const log = logOf(0, 60);

/** `epochMs`: a trace of one number is another one when so much time has passed. */
function messagesOf(steps: readonly Step[], epochMs: number): GatedRecord[] {
  let timeMs = startMs;
  let spanNumber = 1;
  return steps.map(({ advanceMs, spans }, offset) => {
    timeMs += advanceMs;
    const groups = [0, 1, 2].map((group) => ({
      resource: group === 2 ? { attributes: [{ key: 'size', value: { intValue: 11 } }] } : {},
      schemaUrl: `s${group}`,
      scopeSpans: [
        {
          scope: { name: 'scope' },
          spans: spans
            .filter((plan) => plan.group === group)
            .map((plan) => spanOf(plan, Math.floor(timeMs / epochMs), timeMs, spanNumber++)),
        },
      ],
    }));
    const filled = groups.filter(({ scopeSpans }) => scopeSpans[0]!.spans.length > 0);
    return {
      offset,
      timestampMs: timeMs,
      key: null,
      headers: {},
      value: Buffer.from(encodeTraceRequest({ resourceSpans: filled })),
    };
  });
}

function spanOf(
  { trace, kind, state }: SpanPlan,
  epoch: number,
  timeMs: number,
  number: number,
): ProtoObject {
  const traceId = Buffer.alloc(16, trace + 1);
  traceId.writeUInt32BE(Math.imul(trace + 1, 0x1234_5679) >>> 0, 9);
  traceId.writeUInt32LE(epoch >>> 0, 0);
  const spanId = Buffer.alloc(8);
  spanId.writeUInt32BE(number, 2);
  const startNs = BigInt(timeMs) * 1_000_000n;
  const lengthMs = kind === 'slow' ? 5000n : kind === 'late end' ? 8500n : 20n;
  const value = { stringValue: '/health' };
  return {
    traceId,
    spanId,
    name: kind,
    startTimeUnixNano: kind === 'timeless' ? 0 : startNs,
    endTimeUnixNano: startNs + lengthMs * 1_000_000n,
    ...(kind === 'child' || kind === 'late end' ? { parentSpanId: Buffer.alloc(8, 1) } : {}),
    ...(kind === 'error' ? { status: { code: 2 } } : {}),
    ...(kind === 'health' ? { attributes: [{ key: 'http.route', value }] } : {}),
    ...(kind === 'large' ? { attributes: [{ key: 'size', value: { doubleValue: 10.5 } }] } : {}),
    ...(state === '' ? {} : { traceState: state }),
  };
}

const naiveOf = (messages: readonly GatedRecord[], limits: Partial<WindowLimits> = {}) =>
  sampleNaively(
    messages.map(({ offset, timestampMs, value }) => ({ offset, timestampMs, value: value! })),
    {
      ...limitsDefault,
      ...limits,
      overheadBytes,
    },
  );

/** Reading goes by chunks of these lengths, again and again. */
function pushInChunks(test: TestWindow, messages: readonly GatedRecord[], lengths: readonly number[]): void {
  let at = 0;
  for (let chunk = 0; at < messages.length; chunk++) {
    const length = lengths[chunk % lengths.length]!;
    test.push(messages.slice(at, at + length));
    at += length;
  }
}

const chunkLengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('random logs', () => {
  test('the same spans of the same traces are kept as by a naive sampler, with the same thresholds', () => {
    fc.assert(
      fc.property(log, chunkLengths, fc.constantFrom(20_000, 1e12), (steps, lengths, epochMs) => {
        const messages = messagesOf(steps, epochMs);
        const window = new TestWindow();
        pushInChunks(window, messages, lengths);
        window.flush();
        expect(Object.fromEntries(window.stored)).toEqual(
          withPassed(Object.fromEntries(naiveOf(messages)), messages),
        );
      }),
      { numRuns: 150 },
    );
  });

  test('a bound on what is held decides the oldest early, at the same message whatever the fetches', () => {
    const limits = { heldBytesMax: 5000 };
    fc.assert(
      fc.property(log, chunkLengths, (steps, lengths) => {
        const messages = messagesOf(steps, 1e12);
        const window = new TestWindow(limits);
        pushInChunks(window, messages, lengths);
        expect(window.window.heldBytes).toBeLessThanOrEqual(limits.heldBytesMax);
        window.flush();
        expect(Object.fromEntries(window.stored)).toEqual(
          withPassed(Object.fromEntries(naiveOf(messages, limits)), messages),
        );
      }),
      { numRuns: 80 },
    );
  });

  test('a new owner that reads again from the history comes to the same rows, wherever the old one stopped', () => {
    // Traces live shorter than they are remembered.
    const epochMs = 20_000;
    fc.assert(
      fc.property(
        logOf(30, 60),
        chunkLengths,
        fc.double({ min: 0.2, max: 1, noNaN: true }),
        (steps, lengths, where) => {
          const messages = messagesOf(steps, epochMs);
          const first = new TestWindow();
          pushInChunks(first, messages, lengths);
          first.flush();
          const committed = Math.floor(where * messages.length);
          const second = new TestWindow();
          const history = limitsDefault.decisionWaitMs + limitsDefault.lateWaitMs + rateWindowMs;
          const lastMs = messages[committed - 1]?.timestampMs ?? startMs;
          const from = messages.findIndex(({ timestampMs }) => timestampMs >= lastMs - history);
          second.window.reset(committed, Math.max(0, from));
          pushInChunks(second, messages.slice(second.window.position), lengths.toReversed());
          second.flush();
          const expected = [...first.stored].filter(([offset]) => offset >= committed);
          expect(Object.fromEntries(second.stored)).toEqual(Object.fromEntries(expected));
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** A message without spans is for the store to judge: it passes as it is. */
function withPassed(results: Record<string, ProtoObject | undefined>, messages: readonly GatedRecord[]) {
  for (const { offset, value } of messages)
    if (value!.length === 0) results[offset] = decodeTraceRequest(value!);
  return results;
}

/** Names of the spans of a request. */
function namesOf(request: ProtoObject | undefined): string[] {
  const groups = (request?.resourceSpans ?? []) as { scopeSpans: { spans: { name: string }[] }[] }[];
  return groups.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name)));
}

const everything = '- { name: all, type: always_sample }';
const errorsOnly = '- { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }';
const step = (advanceMs: number, ...kinds: [number, string][]): Step => ({
  advanceMs,
  spans: kinds.map(([trace, kind]) => ({ trace, kind, state: '', group: 0 })),
});
const once = 1e15;

describe('by example', () => {
  test('a message waits until a message comes that is decision_wait younger', () => {
    const window = new TestWindow();
    const messages = messagesOf(
      [step(0, [1, 'plain']), step(9999, [2, 'plain']), step(1, [3, 'plain'])],
      once,
    );
    expect(window.push(messages.slice(0, 2))).toBe(0);
    expect(window.push(messages.slice(2))).toBe(1);
    expect([...window.stored.keys()]).toEqual([0]);
  });

  test('a quiet log is decided by the clock, some time after the wait, and only while it is known to be quiet', () => {
    const window = new TestWindow();
    window.push(messagesOf([step(0, [1, 'error'])], once));
    window.nowMs += 1e9;
    expect(window.push([], false)).toBe(0);
    expect(window.wait(14_999)).toBe(0);
    expect(window.wait(1)).toBe(1);
    expect(window.stored.get(0)).toBeDefined();
  });

  test('a process that stood still does not take the log for quiet', () => {
    const window = new TestWindow();
    window.push(messagesOf([step(0, [1, 'error'])], once), true);
    window.nowMs += 3_600_000;
    expect(window.push([], true)).toBe(0);
    expect(window.wait(12_999)).toBe(0);
    expect(window.wait(1)).toBe(1);
  });

  test('a clock that is far ahead decides early what is there, and does not hold up what comes after', () => {
    const window = new TestWindow({}, errorsOnly);
    const messages = messagesOf(
      [step(0, [1, 'plain']), step(3_600_000, [2, 'error']), step(-3_599_000, [3, 'error'])],
      once,
    );
    window.push(messages.slice(0, 2));
    expect([...window.stored.keys()]).toEqual([0]);
    window.push(messages.slice(2), true);
    expect(window.wait(15_000)).toBe(3);
    expect(window.stored.get(2)).toBeDefined();
  });

  test('late spans follow the verdict, kept or dropped, and are counted', () => {
    const window = new TestWindow({}, errorsOnly);
    const messages = messagesOf(
      [
        step(0, [1, 'error'], [2, 'plain']),
        step(10_000, [3, 'plain']),
        // An error that comes too late does not save its trace.
        step(1000, [1, 'plain'], [2, 'error']),
      ],
      once,
    );
    window.push(messages);
    window.flush();
    const names = [0, 1, 2].map((offset) => namesOf(window.stored.get(offset)));
    expect(names).toEqual([['error'], [], ['plain']]);
    expect(window.counters.totals()).toEqual({
      tracesKept: 1,
      tracesDropped: 2,
      spansKept: 2,
      spansDropped: 3,
      lateKept: 1,
      lateDropped: 1,
      early: 1,
    });
  });

  test('where everything is kept the bytes pass untouched, and a tenant without policies is not looked at', () => {
    const window = new TestWindow({}, everything);
    const plan = [step(0, [1, 'plain'], [2, 'error']), step(1, [3, 'plain'])];
    const [sampled, other] = messagesOf(plan, once);
    window.push([sampled!, { ...other!, headers: { tenant: 'free' } }]);
    window.flush();
    expect([...window.untouched]).toEqual([0, 1]);
    expect(window.counters.totals()).toMatchObject({ tracesKept: 2, spansKept: 2 });
  });

  test('what cannot be decoded passes as it is, and holds nobody up', () => {
    const window = new TestWindow({}, errorsOnly);
    const [good] = messagesOf([step(0, [1, 'plain'])], once);
    const cut = good!.value!.subarray(0, good!.value!.length - 3);
    const tombstone = { ...good!, offset: 2, value: null };
    const [later] = messagesOf([step(20_000, [1, 'plain'])], once).map((message) => ({
      ...message,
      offset: 3,
    }));
    const released = window.window.push(
      [good!, { ...good!, offset: 1, value: cut }, tombstone, later!],
      4,
      false,
      0,
    );
    expect(released.messages.map(({ offset, selection }) => [offset, selection === undefined])).toEqual([
      [0, false],
      [1, true],
      [2, true],
    ]);
  });

  test('spans without a trace id pass: whoever stores them refuses and counts them', () => {
    const window = new TestWindow({}, errorsOnly);
    const spans = [{ traceId: Buffer.alloc(8, 1), spanId: Buffer.alloc(8, 1), name: 'short' }];
    const value = Buffer.from(encodeTraceRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    window.push([{ offset: 0, timestampMs: startMs, key: null, headers: {}, value }]);
    window.flush();
    expect([...window.untouched]).toEqual([0]);
    expect(window.counters.totals()).toMatchObject({ spansKept: 0, spansDropped: 0, tracesDropped: 0 });
  });

  test('a bound on traces forgets the oldest, and decides early where nothing is decided', () => {
    const window = new TestWindow({ tracesMax: 5 }, errorsOnly);
    const steps = Array.from({ length: 9 }, (_, trace) => step(1, [trace, 'error']));
    window.push(messagesOf(steps, once));
    expect(window.stored.size).toBeGreaterThanOrEqual(4);
    expect(window.counters.totals().early).toBe(window.stored.size);
    window.flush();
    expect([...window.stored.values()].every((request) => request !== undefined)).toBe(true);
  });

  test('positions cover offsets that hold no message', () => {
    const window = new TestWindow({}, everything);
    const messages = messagesOf([step(0, [1, 'plain']), step(10_000, [2, 'plain'])], once);
    const spaced = messages.map((message, index) => ({ ...message, offset: 5 + index * 10 }));
    window.window.reset(5, 5);
    expect(window.window.push(spaced, 20, false, 0).position).toBe(15);
    expect(window.window.position).toBe(20);
    expect(window.window.flush().position).toBe(20);
  });

  test('of tens of thousands of traces each has its own verdict', () => {
    const window = new TestWindow({}, errorsOnly);
    const idOf = (number: number): Buffer => {
      const id = Buffer.alloc(16, 1);
      // As a generator that counts, and as one that changes the first bytes only.
      id.writeUInt32BE(number, number % 2 === 0 ? 12 : 0);
      return id;
    };
    const messages = Array.from({ length: 40 }, (_, offset) => ({
      offset,
      timestampMs: startMs + offset * 2000,
      key: null,
      headers: {},
      value: Buffer.from(
        encodeTraceRequest({
          resourceSpans: [
            {
              scopeSpans: [
                {
                  spans: Array.from({ length: 1000 }, (_, index) => {
                    const number = offset * 1000 + index + 2;
                    const status = { code: number % 3 === 0 ? 2 : 0 };
                    return {
                      traceId: idOf(number),
                      spanId: Buffer.alloc(8, 1),
                      name: String(number),
                      status,
                    };
                  }),
                },
              ],
            },
          ],
        }),
      ),
    }));
    window.push(messages);
    window.flush();
    const names = [...window.stored.values()].flatMap((request) => namesOf(request).map(Number));
    const wanted = Array.from({ length: 40_000 }, (_, index) => index + 2).filter(
      (number) => number % 3 === 0,
    );
    expect(names).toEqual(wanted);
  });
});
