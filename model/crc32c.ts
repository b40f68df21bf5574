/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches and of remote read's frames, eight bytes per step
 * ("slice by 8"): 2 GB/s where the byte-wise loop does 0.5 GB/s, which would cost an agent more than encoding its telemetry.
 *
 *   crc32c('123456789')  ->  0xe3069283
 */

/** The polynomial 0x1EDC6F41, bits reversed. */
const polynomial = 0x82f63b78;
const tables = buildTables();

/** Returns the checksum as an unsigned 32-bit number. `before` is the checksum of bytes that lie before these. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const wholeEnd = bytes.length - (bytes.length % 8);
  let crc = before ^ -1;
  let at = 0;
  for (; at < wholeEnd; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

/** tables[k][b] is the checksum of byte b followed by k zero bytes. */
function buildTables(): Int32Array[] {
  const built = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    built[0]![byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let level = 1; level < 8; level++) {
      const shorter = built[level - 1]![byte]!;
      built[level]![byte] = built[0]![shorter & 0xff]! ^ (shorter >>> 8);
    }
  }
  return built;
}
