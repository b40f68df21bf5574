/**
 * What was decided of one message's spans, until its run is stored: which bytes are left, and what is counted then.
 *
 * A message of which everything is kept as it is, stays the bytes that came.
 */

import { SpanSelector } from '#wire/otlp/span-selector.ts';
import type { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import { writeTextField } from '#wire/protobuf/message-writer.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { verdictDropped, verdictPassed } from './policy-set.ts';
import type { DecidedMessage, SamplingCounters } from './sampling-counters.ts';
import type { Threshold } from './threshold.ts';
import { withThreshold } from './trace-state.ts';

const selector = new SpanSelector();
const reader = new ProtobufReader();
const traceStateField = 3;
const traceStateTag = 0x1a;
const [codeDropped, codeKept, codeEdited] = [0, 1, 2];

export class SpanSelection {
  readonly #decided: DecidedMessage;
  readonly #counters: SamplingCounters;

  constructor(decided: DecidedMessage, counters: SamplingCounters) {
    this.#decided = decided;
    this.#counters = counters;
  }

  /** Returns the request with the kept spans only, undefined where there are none, and `bytes` itself where all are. */
  select(bytes: Uint8Array): Uint8Array | undefined {
    const { verdicts } = this.#decided;
    // An unknown set of spans: a request without any is for the store to judge.
    if (verdicts.length === 0) return bytes;
    const codes = new Uint8Array(verdicts.length);
    let [kept, edited] = [0, 0];
    for (let span = 0; span < verdicts.length; span++) {
      const code = this.#codeOf(verdicts[span]!);
      codes[span] = code;
      if (code === codeKept) kept++;
      else if (code === codeEdited) edited++;
    }
    if (kept === codes.length) return bytes;
    if (kept + edited === 0) return undefined;
    if (edited === 0) return selector.select(bytes, codes);
    let spanIndex = -1;
    const next = (): number => {
      do spanIndex++;
      while (codes[spanIndex] !== codeEdited);
      return verdicts[spanIndex]!;
    };
    const editor = new TraceStateEditor(bytes);
    return selector.select(bytes, codes, (writer, source, from, to) => {
      const threshold = this.#decided.policies.thresholdOf(next());
      editor.write(writer, source, from, to, threshold === 'unknown' ? undefined : threshold);
    });
  }

  /** Counts what was decided: once, when it is stored. */
  count(): void {
    this.#counters.addMessage(this.#decided);
  }

  #codeOf(verdict: number): number {
    if (verdict === verdictDropped) return codeDropped;
    if (verdict === verdictPassed) return codeKept;
    return this.#decided.policies.thresholdOf(verdict) === undefined ? codeKept : codeEdited;
  }
}

/** Copies spans with another threshold in their trace state, which mostly is that of the span before. */
class TraceStateEditor {
  #before = '';
  #threshold: Threshold | undefined;
  #after = '';

  constructor(bytes: Uint8Array) {
    reader.begin(bytes);
  }

  /** Appends the fields of the span in source[from, to), its trace state last. */
  write(
    writer: ByteWriter,
    source: Buffer,
    from: number,
    to: number,
    threshold: Threshold | undefined,
  ): void {
    reader.seek(from, to);
    let before = '';
    writer.reserve(to - from);
    let copied = from;
    while (reader.position < to) {
      const start = reader.position;
      if (reader.readTag() !== traceStateTag) {
        reader.skip();
        continue;
      }
      const textFrom = reader.passBytes();
      before = source.toString('utf8', textFrom, reader.position);
      writer.position += source.copy(writer.bytes, writer.position, copied, start);
      copied = reader.position;
    }
    writer.position += source.copy(writer.bytes, writer.position, copied, to);
    if (before !== this.#before || threshold !== this.#threshold) {
      this.#before = before;
      this.#threshold = threshold;
      this.#after = withThreshold(before, threshold);
    }
    if (this.#after !== '') writeTextField(writer, traceStateField, this.#after);
  }
}
