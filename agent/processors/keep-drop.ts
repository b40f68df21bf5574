/**
 * `drop`: records that a rule is about are dropped. `keep`: all others are, except those whose severity nobody knows while
 * the rule asks for one.
 *
 *   - drop: { body: "GET /healthz" }          - keep: { severity: from info }
 */
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { type Condition, RecordCondition } from './record-condition.ts';
import { type RecordProcessor, verdictDropped, verdictKept } from './record-pipeline.ts';

export class DropProcessor implements RecordProcessor {
  readonly #condition: RecordCondition;

  constructor(condition: Condition) {
    this.#condition = new RecordCondition(condition);
  }

  process(record: LogRecordFields): number {
    return this.#condition.holds(record) ? verdictDropped : verdictKept;
  }
}

export class KeepProcessor implements RecordProcessor {
  readonly #condition: RecordCondition;

  constructor(condition: Condition) {
    this.#condition = new RecordCondition(condition);
  }

  process(record: LogRecordFields): number {
    return this.#condition.holds(record) || !this.#condition.knows(record) ? verdictKept : verdictDropped;
  }
}
