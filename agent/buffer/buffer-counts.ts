/** What went through the disk buffer, and what it lost, as instruments and as numbers. */
import { metrics } from '@opentelemetry/api';
import type { Signal } from '#wire/envelope.ts';

/**
 * size: the buffer was full; age: it waited too long; refused: the next station will never take it; corrupt: the disk gave
 * back other bytes than were written; unreadable: it gave back none.
 */
export type BufferLoss = 'size' | 'age' | 'refused' | 'corrupt' | 'unreadable';

const meter = metrics.getMeter('sonde');
const lossCounter = meter.createCounter('sonde.agent.buffer.lost', {
  description:
    'Requests that the disk buffer had taken and that were not sent, by signal and reason. Of damage: each place.',
});
const lostByteCounter = meter.createCounter('sonde.agent.buffer.lost_bytes', {
  description: 'Bytes of what the disk buffer has lost, by signal and reason.',
  unit: 'By',
});
const takenCounter = meter.createCounter('sonde.agent.buffer.taken', {
  description: 'Requests that the disk buffer has taken, by signal.',
});
const sentCounter = meter.createCounter('sonde.agent.buffer.sent', {
  description: 'Requests of the disk buffer that the next station has taken, by signal.',
});
const rejectedCounter = meter.createCounter('sonde.agent.buffer.records_rejected', {
  description: 'Records in requests of the disk buffer that the next station refused for good, by signal.',
});
const tornCounter = meter.createCounter('sonde.agent.buffer.torn_bytes', {
  description: 'Bytes at the ends of files that a crash cut off before they were acknowledged to anybody.',
  unit: 'By',
});

export class BufferCounts {
  taken = 0;
  sent = 0;
  rejected = 0;
  tornBytes = 0;
  /** By 'signal reason'. */
  readonly lost = new Map<string, number>();

  addTaken(signal: Signal): void {
    this.taken++;
    takenCounter.add(1, { signal });
  }

  addSent(signal: Signal, rejected: number): void {
    this.sent++;
    sentCounter.add(1, { signal });
    if (rejected === 0) return;
    this.rejected += rejected;
    rejectedCounter.add(rejected, { signal });
  }

  addLost(signal: Signal, reason: BufferLoss, count: number, bytes: number): void {
    const key = `${signal} ${reason}`;
    this.lost.set(key, (this.lost.get(key) ?? 0) + count);
    lossCounter.add(count, { signal, reason });
    lostByteCounter.add(bytes, { signal, reason });
  }

  addTorn(signal: Signal, bytes: number): void {
    this.tornBytes += bytes;
    tornCounter.add(bytes, { signal });
  }
}

/** Starts observing what waits; call it once, after the SDK has started. */
export function observeBuffer(buffer: { bytes(): number; drainState(): string }): void {
  meter
    .createObservableGauge('sonde.agent.buffer.bytes', {
      description: 'Bytes of the files of the disk buffer.',
      unit: 'By',
    })
    .addCallback((result) => result.observe(buffer.bytes()));
  meter
    .createObservableGauge('sonde.agent.buffer.is_draining', {
      description: '1 while the station behind the disk buffer takes what it is sent, else 0.',
    })
    .addCallback((result) => result.observe(buffer.drainState() === 'ok' ? 1 : 0));
}
