/** /proc/sys/fs/file-nr: "521 0 2466165"  ->  node_filefd_allocated 521, node_filefd_maximum 2466165 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const allocated = gauge('node_filefd_allocated', 'File descriptors that are open.');
const maximum = gauge('node_filefd_maximum', 'File descriptors that can be open.');

export const filefdCollector: HostCollector = {
  name: 'filefd',
  isDefault: true,
  reads: '/proc/sys/fs/file-nr',
  makes: 'node_filefd_allocated, node_filefd_maximum',
  create: (files) => () => parseFileNr(files.proc('sys/fs/file-nr')),
};

export function parseFileNr(text: string): HostSample[] {
  const fields = splitFields(text);
  return [...sampleOf(allocated, fieldNumber(fields[0])), ...sampleOf(maximum, fieldNumber(fields[2]))];
}
