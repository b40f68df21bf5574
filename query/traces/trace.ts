/**
 * A trace as the store has it: spans with their resources, times and ids as text, so that nothing is rounded.
 *
 * Attribute values are text: ingest keeps no other type.
 */

/** Name and value pairs in the order they were sent; unlike labels they may have empty values. */
export type Attributes = readonly (readonly [name: string, value: string])[];

export interface SpanEvent {
  /** Nanoseconds since 1970, decimal. */
  readonly timeUnixNano: string;
  readonly name: string;
  readonly attributes: Attributes;
}

export interface SpanLink {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: Attributes;
}

export interface Span {
  /** 16 hexadecimal digits, lower case. */
  readonly spanId: string;
  /** '' for a root span. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly service: string;
  readonly name: string;
  /** OTLP SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  /** Nanoseconds since 1970, decimal. */
  readonly startUnixNano: string;
  readonly endUnixNano: string;
  /** OTLP StatusCode: 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly statusMessage: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly resource: Attributes;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

export interface Trace {
  /** 32 hexadecimal digits, lower case. */
  readonly traceId: string;
  /** By start time, never empty. */
  readonly spans: readonly Span[];
}

/** What the trace APIs ask of storage. `query/sql/traces.ts` answers from ClickHouse. */
export interface TraceSource {
  /** The whole trace, or undefined where this tenant has none of that id (32 hexadecimal digits). */
  trace(traceId: string, abort?: AbortSignal): Promise<Trace | undefined>;
  /** Names of the services that started spans in the range, sorted. Both ends inclusive, milliseconds since 1970. */
  services(startMs: number, endMs: number): Promise<string[]>;
  /** Span names and kinds of a service in the range, sorted by name. */
  operations(service: string, startMs: number, endMs: number): Promise<Operation[]>;
}

export interface Operation {
  readonly name: string;
  /** OTLP SpanKind. */
  readonly kind: number;
}
