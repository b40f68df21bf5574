/**
 * Encoded requests that are sent again at later times. Sent as they are, their parts would cover the same seconds, and
 * merges would interleave them row by row, which costs several times what merges of passing time do.
 */
import { startMs } from './workload.ts';

const dayMs = 86_400_000;
const nsPerMs = 1_000_000n;

/** What the fields of times are preceded by (protobuf's tags), and how they are written. */
export interface TimeFields {
  readonly tags: readonly number[];
  readonly encoding: 'fixed64 ns' | 'varint ms';
}

/** Offsets of the values after a tag that lie in the day of the workload. */
function timesIn(bytes: Uint8Array, { tags, encoding }: TimeFields): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets: number[] = [];
  for (let at = 0; at + 8 < bytes.length; at++) {
    if (!tags.includes(bytes[at]!)) continue;
    const unixMs =
      encoding === 'fixed64 ns' ? Number(view.getBigUint64(at + 1, true) / nsPerMs) : varint(bytes, at + 1);
    if (unixMs >= startMs && unixMs < startMs + dayMs) offsets.push(at + 1);
  }
  return offsets;
}

/** Six bytes, which times in milliseconds take from 1971 to 2109. */
function varint(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let index = 5; index >= 0; index--) value = value * 128 + (bytes[at + index]! & 127);
  return bytes[at + 4]! >= 128 && bytes[at + 5]! < 128 ? value : 0;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let index = 0; index < 6; index++) {
    bytes[at + index] = (rest % 128) + (index < 5 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
}

/** Returns what moves all times in `bytes` on by `deltaMs`, in place. */
export function timeShift(bytes: Uint8Array, fields: TimeFields): (deltaMs: number) => void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets = timesIn(bytes, fields);
  return (deltaMs) => {
    for (const at of offsets) {
      if (fields.encoding === 'varint ms') writeVarint(bytes, at, varint(bytes, at) + deltaMs);
      else view.setBigUint64(at, view.getBigUint64(at, true) + BigInt(deltaMs) * nsPerMs, true);
    }
  };
}
