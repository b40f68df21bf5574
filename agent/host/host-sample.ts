/** What the host's parsers make: samples with the names that node_exporter and cAdvisor gave them, so that their dashboards work. */
export interface HostMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'unknown';
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

/** A metric that node_exporter calls untyped: its file mixes counters and gauges. */
export function untyped(name: string, help: string): HostMetric {
  return { name, type: 'unknown', help };
}

/** Returns the number that a field of a /proc file holds: digits with an optional fraction; NaN for anything else. */
export function fieldNumber(field: string | undefined): number {
  return field !== undefined && /^\d+(?:\.\d+)?$/.test(field) ? Number(field) : Number.NaN;
}

/** Like fieldNumber, for the attributes below /sys that may be negative. */
export function signedNumber(field: string | undefined): number {
  return field?.startsWith('-') ? -fieldNumber(field.slice(1)) : fieldNumber(field);
}

/** Returns the number that hexadecimal digits, with or without 0x, stand for; NaN for anything else. */
export function hexNumber(field: string | undefined): number {
  return field !== undefined && /^(?:0x)?[0-9a-f]+$/i.test(field) ? Number.parseInt(field, 16) : Number.NaN;
}

/** Returns the fields of a line, which are separated by blanks. */
export function splitFields(line: string): string[] {
  return line.trim().split(/\s+/);
}

/** Returns the sample, or nothing where its value is no finite number: what a kernel does not say is left out. */
export function sampleOf(
  metric: HostMetric,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): HostSample[] {
  return Number.isFinite(value) ? [{ metric, labels, value }] : [];
}
