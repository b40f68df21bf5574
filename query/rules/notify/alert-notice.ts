/** What receivers are told: the alerts of one rule that are due, with their times as text not yet. */
import type { Labels } from '#model/labels.ts';
import { fnv1a64 } from '../fnv1a.ts';

export interface AlertNotice {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly status: 'firing' | 'resolved';
  readonly startsAtMs: number;
  /** When it ended; for a firing alert, until when a receiver may believe in it unheard. */
  readonly endsAtMs: number;
  /** When it came to this status: what is told once is not told again. */
  readonly changedAtMs: number;
  /** When all receivers last had it; undefined for never. */
  readonly sentAtMs: number | undefined;
}

/** Notices of one rule, sent together. */
export interface NoticeBatch {
  readonly tenant: string;
  readonly namespace: string;
  readonly group: string;
  readonly rule: string;
  /** Where a person sees the query that fired. */
  readonly generatorUrl: string;
  readonly timeMs: number;
  readonly notices: readonly AlertNotice[];
  /** Called once, when every receiver has the whole batch; never where one of them failed for good. */
  delivered(): void;
}

/** The name of a label set as Prometheus and Alertmanager compute it: 16 hex digits. */
export function fingerprint(labels: Labels): string {
  const parts: Uint8Array[] = [];
  const separator = Buffer.from([0xff]);
  for (const [name, value] of labels) parts.push(Buffer.from(name), separator, Buffer.from(value), separator);
  return fnv1a64(Buffer.concat(parts)).toString(16).padStart(16, '0');
}
