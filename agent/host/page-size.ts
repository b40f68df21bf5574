/** The size of the kernel's pages: 4096 on x86-64, up to 65536 on arm64. */
import type { HostFiles } from './host-files.ts';

const pageBytesDefault = 4096;

/** Returns the bytes of a page: "KernelPageSize:  4 kB" of this process' first mapping. */
export function pageBytes(files: HostFiles): number {
  const smaps = files.procIfAny('self/smaps') ?? '';
  const kilobytes = /^KernelPageSize:\s+(\d+) kB$/m.exec(smaps)?.[1];
  return kilobytes === undefined ? pageBytesDefault : Number(kilobytes) * 1024;
}
