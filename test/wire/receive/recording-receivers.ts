/** Real receivers on free ports whose sink records envelopes and answers what the test wants. */
import { pino } from 'pino';
import type { Delivery, Envelope } from '#wire/envelope.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';

export interface RecordingReceivers extends Receivers {
  received: Envelope[];
  answer: () => Promise<Delivery>;
  /** Forgets what was received, and answers that one record was accepted. */
  reset(): void;
  post(
    path: string,
    body: string | Uint8Array,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; text: string; bytes: Buffer }>;
}

export const mebibyte = 1024 * 1024;

export async function startRecordingReceivers(): Promise<RecordingReceivers> {
  const accepted = async (): Promise<Delivery> => ({ accepted: 1, rejected: 0, reason: '' });
  const receivers = await startReceivers({
    sink: (envelope) => {
      recording.received.push(envelope);
      return recording.answer();
    },
    host: '127.0.0.1',
    httpPort: 0,
    grpcPort: 0,
    bodyBytesMax: 5 * mebibyte,
    inflightBytesMax: 20 * mebibyte,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end('# EOF\n') },
    unready: () => [],
  });
  const recording: RecordingReceivers = {
    ...receivers,
    received: [],
    answer: accepted,
    reset() {
      recording.received = [];
      recording.answer = accepted;
    },
    async post(path, body, headers = {}) {
      const response = await fetch(`${receivers.httpUrl}${path}`, {
        method: 'POST',
        headers,
        body: body as Uint8Array<ArrayBuffer>,
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, text: bytes.toString(), bytes };
    },
  };
  return recording;
}
