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
  /** At least one. A line passes |= and |~ when any of them is in it, != and !~ when none is. */
  readonly values: readonly string[];
}

/** Which lines: those of the streams that satisfy all matchers, that pass all filters. */
export interface LogSelection {
  readonly matchers: readonly LabelMatcher[];
  readonly lineFilters: readonly LineFilter[];
}

export interface LogRequest extends LogSelection {
  /** Inclusive, nanoseconds as decimal text. */
  readonly startUnixNano: string;
  /** Exclusive. */
  readonly endUnixNano: string;
  readonly limit: number;
  readonly direction: 'forward' | 'backward';
}

/** Counts per cell: cell i covers startUnixNano + i * cellNano < t <= startUnixNano + (i + 1) * cellNano. */
export interface LogCountRequest extends LogSelection {
  readonly measure: 'lines' | 'bytes';
  /** The labels to count by; undefined: all labels, structured metadata included. */
  readonly groupBy: readonly string[] | undefined;
  /** Exclusive, nanoseconds as decimal text. */
  readonly startUnixNano: string;
  /** Inclusive. */
  readonly endUnixNano: string;
  readonly cellNano: string;
}

export interface LogCount {
  readonly labels: Labels;
  readonly cell: number;
  readonly value: number;
}

export interface LogSource {
  /** At most `limit` entries in the order of `direction`. */
  select(request: LogRequest, abort?: AbortSignal): Promise<LogEntry[]>;
  /** Non-empty cells in any order, each pair of labels and cell once. */
  count(request: LogCountRequest, abort?: AbortSignal): Promise<LogCount[]>;
  /** Names that the matching streams have. Ranges of this and the calls below include the start and not the end. */
  labelNames(
    matchers: readonly LabelMatcher[],
    startUnixNano: string,
    endUnixNano: string,
  ): Promise<string[]>;
  labelValues(
    name: string,
    matchers: readonly LabelMatcher[],
    startUnixNano: string,
    endUnixNano: string,
  ): Promise<string[]>;
  /** Stream label sets that match any of the matcher lists; all where there is no list. */
  series(
    matchers: readonly (readonly LabelMatcher[])[],
    startUnixNano: string,
    endUnixNano: string,
  ): Promise<Labels[]>;
}
