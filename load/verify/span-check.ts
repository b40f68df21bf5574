/** Counts the stored spans of a run: asks for each trace by its id, which follows from run, sender and number. */

import { pusherName, pushersPerSignal } from '../push/pusher-name.ts';
import { loadTraceId, spanAttributes, spanChecksum } from '../push/span-signal.ts';
import type { ApiClient } from './api-client.ts';
import type { StoredRun } from './stored-run.ts';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

interface TraceAnswer {
  readonly batches: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly { readonly name: string; readonly attributes?: readonly Attribute[] }[];
    }[];
  }[];
}

const requestsAtOnce = 4;
/** Without a report: a sender ends where so many traces in a row are not there. */
const absentMax = 20;

export async function checkSpans(api: ApiClient, stored: StoredRun): Promise<void> {
  for (const name of spanSenders()) {
    const sent = stored.tallies.sent(name);
    if (sent !== undefined) {
      await checkTraces(api, stored, name, Math.ceil(sent.written / stored.spansPerTrace));
    } else if (!stored.tallies.hasReport) await probeTraces(api, stored, name);
  }
}

export function spanSenders(): string[] {
  return Array.from({ length: pushersPerSignal }, (_, i) => pusherName('otlp_spans', i + 1));
}

async function checkTraces(api: ApiClient, stored: StoredRun, sender: string, count: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await checkTrace(api, stored, sender, next++);
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, work));
}

async function probeTraces(api: ApiClient, stored: StoredRun, sender: string): Promise<void> {
  let absent = 0;
  for (let index = 0; absent < absentMax; index++) {
    absent = (await checkTrace(api, stored, sender, index)) ? 0 : absent + 1;
  }
}

async function checkTrace(
  api: ApiClient,
  stored: StoredRun,
  sender: string,
  index: number,
): Promise<boolean> {
  const spans = await readTrace(api, loadTraceId(stored.run, sender, index));
  for (const { seq, isWhole } of spans.map((span) => readSpan(span, stored.run, sender))) {
    stored.tallies.add('otlp_spans', sender, seq, isWhole);
  }
  return spans.length > 0;
}

interface StoredSpan {
  readonly name: string;
  readonly attributes?: readonly Attribute[];
}

/** The spans of a trace, as often as they are stored; none where the trace is not there. */
export async function readTrace(api: ApiClient, traceId: string): Promise<StoredSpan[]> {
  const answer = await api.json<TraceAnswer>(`/tempo/api/traces/${traceId}`, {});
  return (answer?.batches ?? []).flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

function readSpan({ name, attributes = [] }: StoredSpan, run: string, sender: string) {
  const texts = new Map(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '']));
  const seq = Number(texts.get(spanAttributes.seq));
  const isWhole =
    texts.get(spanAttributes.run) === run &&
    texts.get(spanAttributes.sender) === sender &&
    texts.get(spanAttributes.checksum) === spanChecksum({ run, sender, seq }, name);
  return { seq: Number.isSafeInteger(seq) ? seq : 0, isWhole };
}
