/** Names of pushing senders: who knows a run's id knows them, without its report. */
import type { SenderKind } from '../run-report.ts';

/** Senders of one kind: the first names its batches, the second does not. */
export const pushersPerSignal = 2;

/** Returns the name of a pushing sender, counted from 1: `otlp-spans-1`. */
export function pusherName(kind: SenderKind, index: number): string {
  return `${kind.replace('_', '-')}-${index}`;
}
