/**
 * Numbered samples as remote write 2.0: the value is the number. A sender spreads its numbers over several series in
 * turn, so that the times of each can be a millisecond apart at least and still be those of the clock.
 *
 *   sonde_load_sequence{run="ab12",sender="samples-1",series="0"}  1@t 101@t+100 ...
 */
import snappy from 'snappyjs';
import { contentTypeRemoteWrite2, receivePaths } from '#wire/bus.ts';
import { RequestEncoder } from '#wire/remote-write/request-encoder.ts';
import { remoteWriteRepeats } from './push-client.ts';
import { type PushSignal, statusFault } from './push-signal.ts';

export const sampleMetric = 'sonde_load_sequence';

/** Remote write 2.0, "Required Written Response Headers". */
const writtenHeader = 'x-prometheus-remote-write-samples-written';

/** Returns the series that a number belongs to, counted from 0. */
export function seriesOf(seq: number, seriesCount: number): number {
  return (seq - 1) % seriesCount;
}

export function sampleSignal(run: string, sender: string, seriesCount: number): PushSignal {
  const encoder = new RequestEncoder();
  const metadata = encoder.addMetadata('counter', 'Numbers that sonde load has sent.', '');
  const ids = Array.from({ length: seriesCount }, (_, series) =>
    encoder.addSeries([
      ['__name__', sampleMetric],
      ['run', run],
      ['sender', sender],
      ['series', String(series)],
    ]),
  );
  const lastMs = new Float64Array(seriesCount);
  return {
    path: receivePaths.remote_write,
    headers: {
      'content-type': contentTypeRemoteWrite2,
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '2.0.0',
    },
    repeats: remoteWriteRepeats,
    add(seq, nowMs) {
      const series = seriesOf(seq, seriesCount);
      lastMs[series] = Math.max(Math.trunc(nowMs), lastMs[series]! + 1);
      encoder.writeSample(ids[series]!, metadata, seq, lastMs[series]);
      return encoder.requestBytes;
    },
    finish: () => snappy.compress(encoder.finish()),
    fault(answer, count) {
      const fault = statusFault(answer);
      if (fault !== '') return fault;
      const written = answer.headers.get(writtenHeader);
      // Without the header the receiver speaks 1.0: it has taken a request that it may not have understood.
      if (written === null) return `the receiver answered without ${writtenHeader}: it does not speak 2.0`;
      return Number(written) === count ? '' : `the receiver wrote ${written} of ${count} samples`;
    },
  };
}
