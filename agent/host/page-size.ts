/** The size of the kernel's pages: 4096 on x86-64, up to 65536 on arm64. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const pageBytesDefault = 4096;
/** auxv => (key:u64 value:u64)*, little-endian on all processors that Node 24 is built for. See getauxval(3). */
const entryBytes = 16;
const keyPageSize = 6n;

/** Returns the bytes of a page, from what the kernel told this process when it began. */
export function pageBytes(procPath: string): number {
  let entries: Buffer;
  try {
    entries = readFileSync(join(procPath, 'self/auxv'));
  } catch {
    // Not Linux, or hidden: then what nearly all have.
    return pageBytesDefault;
  }
  for (let at = 0; at + entryBytes <= entries.length; at += entryBytes)
    if (entries.readBigUInt64LE(at) === keyPageSize) return Number(entries.readBigUInt64LE(at + 8));
  return pageBytesDefault;
}
