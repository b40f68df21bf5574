/** What the LogQL engine asks of storage. `query/sql/` answers from ClickHouse; tests answer from memory. */
import type { LabelMatcher, Labels } from '#model/labels.ts';

/** One log line of a result. */
export interface LogEntry {
  /** Nanoseconds since 1970 as decimal text: 64 bits do not fit a number. */
  readonly timeUnixNano: string;
  /** The stream's labels, names escaped as Loki escapes OTLP attribute names (`service.name` -> `service_name`). */
  readonly stream: Labels;
  /** Record attributes, trace_id, span_id and the like. */
  readonly structuredMetadata: Labels;
  readonly line: string;
}

/** `|=` and `!=` are case-sensitive substrings, `|~` and `!~` RE2 patterns that may match anywhere. */
export interface LineFilter {
  readonly op: '|=' | '!=' | '|~' | '!~';
  readonly value: string;
}

export interface LogRequest {
  readonly matchers: readonly LabelMatcher[];
  readonly lineFilters: readonly LineFilter[];
  /** Inclusive, nanoseconds as decimal text. */
  readonly startUnixNano: string;
  /** Exclusive. */
  readonly endUnixNano: string;
  readonly limit: number;
  readonly direction: 'forward' | 'backward';
}

export interface LogSource {
  /** At most `limit` entries in the order of `direction`. */
  select(request: LogRequest, abort?: AbortSignal): Promise<LogEntry[]>;
  labelNames(startUnixNano: string, endUnixNano: string): Promise<string[]>;
  labelValues(
    name: string,
    matchers: readonly LabelMatcher[],
    startUnixNano: string,
    endUnixNano: string,
  ): Promise<string[]>;
  /** Stream label sets that match any of the matcher lists. */
  series(
    matchers: readonly (readonly LabelMatcher[])[],
    startUnixNano: string,
    endUnixNano: string,
  ): Promise<Labels[]>;
}
