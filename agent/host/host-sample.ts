/** What the host's parsers make: samples with the names that node_exporter gave them, so that its dashboards work. */
export interface HostMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

export interface HostSample {
  readonly metric: HostMetric;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function counter(name: string, help: string): HostMetric {
  return { name, type: 'counter', help };
}

export function gauge(name: string, help: string): HostMetric {
  return { name, type: 'gauge', help };
}

/** Returns the number that a field of a /proc file holds: digits with an optional fraction; NaN for anything else. */
export function fieldNumber(field: string | undefined): number {
  return field !== undefined && /^\d+(?:\.\d+)?$/.test(field) ? Number(field) : Number.NaN;
}

/** Returns the fields of a line, which are separated by blanks. */
export function splitFields(line: string): string[] {
  return line.trim().split(/\s+/);
}
