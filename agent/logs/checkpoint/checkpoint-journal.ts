/**
 * The journal beside a checkpoint: changes that are not in it yet, one line each, appended and synced.
 *
 *   journal => record*     record => crc32:8 hex digits, " ", changes:JSON, "\n"
 *
 * The checksum is seeded with the journal's name, which the checkpoint holds, and the record's number: what an earlier
 * checkpoint's journal has left is no record of this one, and neither is the torn end that a crash leaves.
 */
import { crc32 } from 'node:zlib';

const checksumDigits = 8;

export function journalPath(checkpointPath: string): string {
  return `${checkpointPath}.journal`;
}

/** `changes` must have no line feed; `index` counts the journal's records from 0. */
export function encodeRecord(journal: string, index: number, changes: string): Buffer {
  return Buffer.from(`${checksum(journal, index, changes)} ${changes}\n`);
}

/**
 * Returns the changes of a journal's records, in order. A torn last record, and all that another journal has left, are left
 * out. Throws an Error where a record is followed by what could only be read with it.
 */
export function decodeJournal(journal: string, bytes: Buffer): string[] {
  const records: string[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
    const line = bytes.toString('utf8', start, end);
    const changes = line.slice(checksumDigits + 1);
    if (line.slice(0, checksumDigits) !== checksum(journal, records.length, changes)) break;
    records.push(changes);
    start = end + 1;
  }
  if (isRecordAhead(journal, records.length, bytes, start)) {
    throw new Error(`record ${records.length + 1} at byte ${start} is damaged`);
  }
  return records;
}

/** A record is appended when the one before it is on disk: only the last can be torn. */
function isRecordAhead(journal: string, index: number, bytes: Buffer, from: number): boolean {
  let ahead = index;
  for (let start = bytes.indexOf(0x0a, from) + 1; start > 0; start = bytes.indexOf(0x0a, start) + 1) {
    ahead++;
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) return false;
    const line = bytes.toString('utf8', start, end);
    if (line.slice(0, checksumDigits) === checksum(journal, ahead, line.slice(checksumDigits + 1)))
      return true;
  }
  return false;
}

function checksum(journal: string, index: number, changes: string): string {
  return crc32(changes, crc32(`${journal} ${index}`))
    .toString(16)
    .padStart(checksumDigits, '0');
}
