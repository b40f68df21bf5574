/**
 * The stream of a remote read: a frame for each series, or several where it is long. Series come sorted by labels.
 *
 *   stream => frame*
 *   frame => length:uvarint crc32c:uint32 (big-endian) ChunkedReadResponse
 *   ChunkedReadResponse => chunked_series:{ labels chunks }  query_index
 */
import { crc32c } from '#model/crc32c.ts';
import type { Labels } from '#model/labels.ts';
import type { SeriesSamples } from '../promql/source.ts';
import { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { encodeHistogramChunks } from './histogram-chunk.ts';
import { type EncodedChunk, encodeSampleChunks } from './sample-chunk.ts';

export interface EncodedSeries {
  readonly labels: Labels;
  /** In order of time: those of numbers and those of histograms may overlap. */
  readonly chunks: readonly EncodedChunk[];
}

/** Prometheus's own default. One chunk more may go in. */
const frameBytesMax = 1024 * 1024;

export function encodeSeries({ labels, timestamps, values, histograms }: SeriesSamples): EncodedSeries {
  const chunks = [...encodeSampleChunks(timestamps, values)];
  if (histograms === undefined) return { labels, chunks };
  for (const chunk of encodeHistogramChunks(histograms)) chunks.push(chunk);
  return { labels, chunks: chunks.sort((a, b) => a.firstMs - b.firstMs) };
}

export function* frameSeries({ labels, chunks }: EncodedSeries, queryIndex: number): Generator<Uint8Array> {
  for (let start = 0; start < chunks.length; ) {
    let bytes = 0;
    let end = start;
    while (end < chunks.length && bytes < frameBytesMax) bytes += chunks[end++].bytes.length;
    const message = new ProtobufWriter();
    message.message(1, (series) => {
      for (const [name, value] of labels) series.message(1, (label) => label.text(1, name).text(2, value));
      for (const chunk of chunks.slice(start, end)) {
        series.message(2, (inner) =>
          inner
            .varint(1, chunk.firstMs)
            .varint(2, chunk.lastMs)
            .varint(3, chunk.encoding)
            .bytes(4, chunk.bytes),
        );
      }
    });
    message.varint(2, queryIndex);
    yield frame(message.finish());
    start = end;
  }
}

function frame(message: Uint8Array): Uint8Array {
  const header = Buffer.alloc(14);
  let length = 0;
  let rest = message.length;
  for (; rest > 0x7f; rest >>>= 7) header[length++] = (rest & 0x7f) | 0x80;
  header[length++] = rest;
  header.writeUInt32BE(crc32c(message), length);
  return Buffer.concat([header.subarray(0, length + 4), message]);
}
