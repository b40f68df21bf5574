/**
 * The tail of a partition that waits for its traces: messages come in as they are fetched, and go out when every trace that
 * began in them or before is decided.
 *
 *   log time   10:00:00 m1(trace A)   10:00:12 m2(A, B)   10:00:30 m3
 *   wait 30 s: m3 ends the wait of m1: A is decided from m1 and m2, m1 goes out without or with A. m2 waits for B.
 *
 * The time is the log's: the latest of the messages' timestamps so far. A trace is decided at the first message that is
 * `decisionWaitMs` younger than the trace's first one, from the spans before that message; or, to hold no more than
 * heldBytesMax, at the message that is over it. So verdicts are a function of the log, and a new owner that reads it again
 * from far enough comes to the same ones. Two things are not: a log that goes quiet is decided by the clock, some time
 * later than the wait, and tracesMax depends on what came before.
 */
import { DecodeError } from '#model/errors.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import type { PartitionGate, ReleasedMessages } from '../kafka/partition-gate.ts';
import { type GatedRecord, messageBytes } from '../kafka/partition-gate.ts';
import type { PolicySet } from './policy-set.ts';
import { verdictDropped, verdictPassed } from './policy-set.ts';
import type { EarlyReason, SamplingCounters } from './sampling-counters.ts';
import { noTrace, SpanScanner } from './span-scanner.ts';
import { SpanSelection } from './span-selection.ts';
import type { TenantPolicies } from './tenant-policies.ts';
import { TraceTable } from './trace-table.ts';

export interface WindowLimits {
  readonly decisionWaitMs: number;
  /** How long after its decision a trace is remembered; at least decisionWaitMs. */
  readonly lateWaitMs: number;
  /** Of messages, as they count in buffers. */
  readonly heldBytesMax: number;
  /** Open and decided ones together. One message may go over it. */
  readonly tracesMax: number;
}

/** A message in the window. */
interface Waiting {
  /** Undefined where it is history: only its traces matter. */
  readonly message: GatedRecord | undefined;
  readonly bytes: number;
  readonly logMs: number;
  readonly liveMs: number;
  readonly tenant: string;
  /** Undefined where the message passes as it is. */
  readonly policies: PolicySet | undefined;
  /** Of each span: its trace's number if it was open, else the verdict minus `verdictsFrom`. */
  readonly spans: Float64Array;
  /** Traces below were decided when it came, those below tracesEnd were there when it was read. */
  readonly decidedBefore: number;
  readonly tracesFrom: number;
  readonly tracesEnd: number;
}

/** Below all numbers of traces. */
const verdictsFrom = 0x2_0000;
const noSpans = new Float64Array(0);
/** How much longer than its wait the clock lets a message wait, for producers that come late with what they stamped. */
const clockSlackMs = { min: 1000, max: 5000 };
/** Who looks more seldom does not know that the log was quiet: the process may have stood still. */
const lookMsMax = 2000;

export class TraceWindow implements PartitionGate {
  readonly #limits: WindowLimits;
  readonly #tenants: TenantPolicies;
  readonly #counters: SamplingCounters;
  readonly #table: TraceTable;
  readonly #scanner: SpanScanner;
  readonly #clockWaitMs: number;
  #waiting: Waiting[] = [];
  /** What of `waiting` has gone out. */
  #gone = 0;
  #bytes = 0;
  #position = 0;
  #next = 0;
  #logMs = Number.NEGATIVE_INFINITY;
  /** Milliseconds during which the log was known to be read to its end. */
  #liveMs = 0;
  #atEndSinceMs: number | undefined;

  constructor(limits: WindowLimits, tenants: TenantPolicies, counters: SamplingCounters) {
    this.#limits = limits;
    this.#tenants = tenants;
    this.#counters = counters;
    this.#table = new TraceTable(tenants.conditionCount);
    this.#scanner = new SpanScanner(this.#table, tenants.conditionCount);
    const { min, max } = clockSlackMs;
    this.#clockWaitMs = limits.decisionWaitMs + Math.min(max, Math.max(min, limits.decisionWaitMs / 2));
  }

  get position(): number {
    return this.#position;
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#gone === this.#waiting.length;
  }

  reset(next: number, from: number): void {
    this.#next = next;
    this.#position = Math.min(from, next);
    this.#waiting = [];
    this.#gone = 0;
    this.#bytes = 0;
    this.#logMs = Number.NEGATIVE_INFINITY;
    this.#atEndSinceMs = undefined;
    this.#table.clear();
  }

  push(
    messages: readonly GatedRecord[],
    position: number,
    isAtEnd: boolean,
    nowMs: number,
  ): ReleasedMessages {
    if (this.#atEndSinceMs !== undefined) this.#liveMs += Math.min(lookMsMax, nowMs - this.#atEndSinceMs);
    this.#atEndSinceMs = isAtEnd ? nowMs : undefined;
    const released: GatedRecord[] = [];
    for (const message of messages) this.#take(message, released);
    this.#position = position;
    this.#releaseByClock(released);
    this.#compact();
    const held = this.#waiting[this.#gone];
    // Offsets that hold no message belong to what is before them.
    const end = held === undefined ? position : (held.message?.offset ?? this.#next);
    return { messages: released, position: Math.max(this.#next, end) };
  }

  flush(): ReleasedMessages {
    const released: GatedRecord[] = [];
    while (!this.isEmpty) this.#release(released, 'gap');
    this.#compact();
    return { messages: released, position: Math.max(this.#next, this.#position) };
  }

  #take(message: GatedRecord, released: GatedRecord[]): void {
    const { decisionWaitMs, lateWaitMs, heldBytesMax, tracesMax } = this.#limits;
    const table = this.#table;
    this.#logMs = Math.max(this.#logMs, message.timestampMs);
    while (!this.isEmpty && this.#logMs - this.#waiting[this.#gone]!.logMs >= decisionWaitMs)
      this.#release(released);
    while (this.#canForget() && this.#logMs - table.firstSeenMs(table.first) >= decisionWaitMs + lateWaitMs)
      table.forget();
    const waiting = this.#read(message);
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    while (this.#bytes > heldBytesMax) this.#release(released, 'bytes');
    while (table.count > tracesMax) {
      if (!this.#canForget()) this.#release(released, 'traces');
      else {
        table.forget();
        this.#counters.addForgotten();
      }
    }
  }

  #releaseByClock(released: GatedRecord[]): void {
    while (!this.isEmpty && this.#liveMs - this.#waiting[this.#gone]!.liveMs >= this.#clockWaitMs)
      this.#release(released);
  }

  /** Whether the oldest trace is decided, and no message that waits has to be told its verdict. */
  #canForget(): boolean {
    const { first, decided } = this.#table;
    return first < decided && (this.isEmpty || first < this.#waiting[this.#gone]!.decidedBefore);
  }

  #read(message: GatedRecord): Waiting {
    const table = this.#table;
    const { tenant, fault } = messageFacts(message.headers);
    const entry = fault === undefined ? this.#tenants.entryOf(tenant) : undefined;
    const tracesFrom = table.next;
    let spans = noSpans;
    let policies: PolicySet | undefined;
    if (entry !== undefined && message.value !== null) {
      try {
        spans = this.#scanner.scan(message.value, entry.index, entry.policies, this.#logMs).slice();
        policies = entry.policies;
        for (let index = 0; index < spans.length; index++) {
          const number = spans[index]!;
          // The verdict may be forgotten before this message goes out.
          if (number >= 0 && number < table.decided) spans[index] = table.verdictOf(number) - verdictsFrom;
        }
      } catch (error) {
        // Whoever stores it says what is wrong with it.
        if (!(error instanceof DecodeError)) throw error;
        spans = noSpans;
        this.#counters.addUnscanned(tenant);
      }
    }
    return {
      message: message.offset < this.#next ? undefined : message,
      bytes: messageBytes(message),
      logMs: this.#logMs,
      liveMs: this.#liveMs,
      tenant,
      policies,
      spans,
      decidedBefore: table.decided,
      tracesFrom,
      tracesEnd: table.next,
    };
  }

  /** Lets the oldest message go: decides every trace that began in it or before. */
  #release(released: GatedRecord[], reason?: EarlyReason): void {
    const waiting = this.#waiting[this.#gone++]!;
    this.#bytes -= waiting.bytes;
    const table = this.#table;
    if (reason !== undefined && waiting.message !== undefined)
      this.#counters.addEarly(Math.max(0, waiting.tracesEnd - table.decided), reason);
    while (table.decided < waiting.tracesEnd) this.#decideNext();
    if (waiting.message !== undefined) released.push(this.#selected(waiting, waiting.message));
  }

  #decideNext(): void {
    const table = this.#table;
    const { policies } = this.#tenants.entryAt(table.tenantOf(table.decided));
    table.facts.at = table.decided;
    const decisionMs = table.firstSeenMs(table.decided) + this.#limits.decisionWaitMs;
    table.decide(policies.decide(table.facts, decisionMs));
  }

  #selected(waiting: Waiting, message: GatedRecord): GatedRecord {
    const { policies, spans, tenant, tracesFrom, tracesEnd } = waiting;
    if (policies === undefined) return message;
    const table = this.#table;
    const verdicts = new Uint16Array(spans.length);
    let [lateKept, lateDropped] = [0, 0];
    for (let index = 0; index < spans.length; index++) {
      const number = spans[index]!;
      if (number >= 0) verdicts[index] = table.verdictOf(number);
      else if (number === noTrace) verdicts[index] = verdictPassed;
      else {
        verdicts[index] = number + verdictsFrom;
        if (verdicts[index] === verdictDropped) lateDropped++;
        else lateKept++;
      }
    }
    const traceVerdicts = new Uint16Array(tracesEnd - tracesFrom);
    for (let number = tracesFrom; number < tracesEnd; number++)
      traceVerdicts[number - tracesFrom] = table.verdictOf(number);
    const decided = { tenant, policies, verdicts, traceVerdicts, lateKept, lateDropped };
    return { ...message, selection: new SpanSelection(decided, this.#counters) };
  }

  #compact(): void {
    if (this.#gone === 0) return;
    this.#waiting = this.#waiting.slice(this.#gone);
    this.#gone = 0;
  }
}
