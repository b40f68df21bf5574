/**
 * Gathers log records of many resources into one OTLP request: records of equal resources lie together, whatever the order
 * they come in.
 *
 *   batch.writer(resource)  ->  the writer of that resource's records; batch.finish()  ->  one ResourceLogs a resource
 *
 * Memory is kept between batches, up to a bound.
 */
import { ByteWriter } from '../protobuf/byte-writer.ts';
import { ByteDictionary } from '../remote-write/byte-dictionary.ts';
import { encodeLogsRequest, type ResourceRecords } from './logs-request.ts';

/** Writers that are kept for the next batch, and the largest of them. */
const keptWritersMax = 256;
const keptWriterBytesMax = 1024 * 1024;

export class LogBatch {
  /** Write a resource's attributes here (Resource => 1:KeyValue), then call `records`. */
  readonly resource = new ByteWriter(256);
  readonly #resources = new ByteDictionary();
  #writers: ByteWriter[] = [];
  #count = 0;
  #bytes = 0;

  /** Records since the last finish. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of records since the last finish, with those of their resources. */
  get bytes(): number {
    return this.#bytes + this.#resources.bytes;
  }

  get resourceCount(): number {
    return this.#resources.count;
  }

  /** Returns the writer for records of the resource that was written to `resource`, which is empty again. */
  records(): ByteWriter {
    const { bytes, view, position } = this.resource;
    const index = this.#resources.intern(bytes, view, 0, position);
    this.resource.clear();
    if (index >= this.#writers.length) this.#writers.push(new ByteWriter(1024));
    return this.#writers[index]!;
  }

  /** Must be called after a record was appended, with the bytes that it took. */
  added(recordBytes: number): void {
    this.#count++;
    this.#bytes += recordBytes;
  }

  /** Returns the request, and starts the next. */
  finish(): Uint8Array {
    const { arena } = this.#resources;
    const records = Buffer.allocUnsafeSlow(this.#bytes);
    const runs: ResourceRecords[] = [];
    let from = 0;
    for (let index = 0; index < this.#resources.count; index++) {
      const written = this.#writers[index]!.written();
      records.set(written, from);
      const resource = arena.subarray(this.#resources.start(index), this.#resources.end(index));
      if (written.length > 0) runs.push({ resource, from, to: from + written.length });
      from += written.length;
    }
    const request = encodeLogsRequest(runs, records);
    this.#forget();
    return request;
  }

  #forget(): void {
    this.#resources.clear();
    this.#writers.length = Math.min(this.#writers.length, keptWritersMax);
    this.#writers = this.#writers.filter(({ bytes }) => bytes.length <= keptWriterBytesMax);
    for (const writer of this.#writers) writer.clear();
    this.#count = 0;
    this.#bytes = 0;
  }
}
