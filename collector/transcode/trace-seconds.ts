/**
 * First and last second of each trace in one request: what `trace_index` gets one row per trace from.
 * An open-addressing table over the 16 bytes of the trace id, without an object per trace.
 */

import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { ByteBuffer, checkProbes } from './byte-buffer.ts';
import { equalBytes } from './byte-copy.ts';
import { hash32 } from './byte-hash.ts';
import type { TraceIndexColumns } from './span-columns.ts';

const idBytes = 16;
const initialSlots = 256;
/** A request with more traces than this does not leave its table behind. */
const retainedSlotsMax = 1 << 16;

export class TraceSeconds {
  count = 0;
  readonly #ids = new ByteBuffer();
  /** Trace number + 1, or 0 for free. */
  #slots = new Int32Array(initialSlots);
  #first = new Uint32Array(initialSlots / 2);
  #last = new Uint32Array(initialSlots / 2);

  clear(): void {
    this.count = 0;
    this.#ids.reset();
    if (this.#slots.length > retainedSlotsMax) {
      this.#slots = new Int32Array(initialSlots);
      this.#first = new Uint32Array(initialSlots / 2);
      this.#last = new Uint32Array(initialSlots / 2);
    } else this.#slots.fill(0);
  }

  /** Notes that a span of the trace whose id is at `start` runs from one second to another. */
  add(source: ByteView, start: number, firstSecond: number, lastSecond: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash32(source, start, idBytes) & mask;
    for (let probes = 0; ; probes++) {
      const trace = slots[slot] - 1;
      if (trace < 0) break;
      checkProbes(probes);
      if (equalBytes(this.#ids.data, trace * idBytes, source, start, idBytes)) {
        if (firstSecond < this.#first[trace]) this.#first[trace] = firstSecond;
        if (lastSecond > this.#last[trace]) this.#last[trace] = lastSecond;
        return;
      }
      slot = (slot + 1) & mask;
    }
    const trace = this.count++;
    this.#ids.pushRange(source, start, idBytes);
    this.#first[trace] = firstSecond;
    this.#last[trace] = lastSecond;
    slots[slot] = trace + 1;
    if (this.count * 2 >= slots.length) this.#grow();
  }

  /** Appends one row per trace. */
  writeTo(columns: TraceIndexColumns, tenant: ByteView): void {
    for (let trace = 0; trace < this.count; trace++) {
      columns.traceId.pushRange(this.#ids.data, trace * idBytes);
      columns.tMin.pushUint32(this.#first[trace]);
      columns.tMax.pushUint32(this.#last[trace]);
    }
    const index = columns.tenant.dictionary.indexOf(tenant, 0, tenant.bytes.length);
    columns.tenant.pushRepeated(index, this.count);
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let trace = 0; trace < this.count; trace++) {
      let slot = hash32(this.#ids.data, trace * idBytes, idBytes) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = trace + 1;
    }
    const first = new Uint32Array(slots.length / 2);
    first.set(this.#first);
    const last = new Uint32Array(slots.length / 2);
    last.set(this.#last);
    this.#slots = slots;
    this.#first = first;
    this.#last = last;
  }
}
