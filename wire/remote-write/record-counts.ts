/**
 * Counts what is in a remote write 2.0 request, for stations that hand it on and never learn what became of each
 * record: a sender takes 2xx without the numbers of what was written for a receiver that did not understand it.
 *
 *   Request    => timeseries:TimeSeries* (5)
 *   TimeSeries => samples (2) histograms (3) exemplars (4)
 */
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';

export interface RecordCounts {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

/** Throws DecodeError on bytes that are no protobuf. */
export function countRecords(bytes: Uint8Array): RecordCounts {
  const reader = new ProtobufReader();
  const counts = { samples: 0, histograms: 0, exemplars: 0 };
  reader.begin(bytes);
  while (reader.position < reader.limit) {
    if (reader.readTag() !== 0x2a) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x12) counts.samples++;
      else if (tag === 0x1a) counts.histograms++;
      else if (tag === 0x22) counts.exemplars++;
      reader.skip();
    }
    reader.leave(outer);
  }
  return counts;
}
