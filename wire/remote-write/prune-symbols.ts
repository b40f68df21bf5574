/**
 * Takes the symbols that no series uses out of a remote write 2.0 request: they become empty texts, so that all references
 * stay as they are. Parts of a request come with the whole table, which may be most of it.
 *
 *   Request => symbols:4 string* timeseries:5 TimeSeries*    TimeSeries => labels_refs:1 uint32* exemplars:4 metadata:5
 *   Exemplar => labels_refs:1 uint32*                        Metadata => help_ref:3 uint32 unit_ref:4 uint32
 */
import { ProtobufReader, wireBytes, wireVarint } from '../protobuf/protobuf-reader.ts';

const symbolTag = 0x22;

/** Returns the request without the unused symbols. Throws DecodeError on bytes that are not such a request. */
export function pruneSymbols(request: Uint8Array): Uint8Array {
  const used = usedSymbols(request);
  const pruned = Buffer.allocUnsafe(request.length);
  const reader = new ProtobufReader();
  reader.begin(request);
  let position = 0;
  let index = 0;
  while (reader.position < reader.limit) {
    const start = reader.position;
    const tag = reader.readTag();
    reader.skip();
    if (tag === symbolTag && !used.has(index++)) {
      pruned[position++] = symbolTag;
      pruned[position++] = 0;
      continue;
    }
    pruned.set(request.subarray(start, reader.position), position);
    position += reader.position - start;
  }
  return pruned.subarray(0, position);
}

function usedSymbols(request: Uint8Array): ReadonlySet<number> {
  const used = new Set<number>();
  const reader = new ProtobufReader();
  reader.begin(request);
  eachMessage(reader, 5, () => {
    readFields(reader, (field) => {
      if (field === 1) readRefs(reader, used);
      else if (field === 4 && (reader.tag & 7) === wireBytes) {
        const outer = reader.enter();
        readFields(reader, (inner) => (inner === 1 ? readRefs(reader, used) : reader.skip()));
        reader.leave(outer);
      } else if (field === 5 && (reader.tag & 7) === wireBytes) {
        const outer = reader.enter();
        readFields(reader, (inner) =>
          (inner === 3 || inner === 4) && (reader.tag & 7) === wireVarint
            ? used.add(reader.readVarint())
            : reader.skip(),
        );
        reader.leave(outer);
      } else reader.skip();
    });
  });
  return used;
}

function eachMessage(reader: ProtobufReader, field: number, read: () => void): void {
  readFields(reader, (found) => {
    if (found !== field || (reader.tag & 7) !== wireBytes) {
      reader.skip();
      return;
    }
    const outer = reader.enter();
    read();
    reader.leave(outer);
  });
}

/** `read` must step over the value of the field. */
function readFields(reader: ProtobufReader, read: (field: number) => unknown): void {
  while (reader.position < reader.limit) read(reader.readTag() >>> 3);
}

/** Packed, or one alone. */
function readRefs(reader: ProtobufReader, used: Set<number>): void {
  if ((reader.tag & 7) === wireVarint) {
    used.add(reader.readVarint());
    return;
  }
  if ((reader.tag & 7) !== wireBytes) {
    reader.skip();
    return;
  }
  const outer = reader.enter();
  while (reader.position < reader.limit) used.add(reader.readVarint());
  reader.leave(outer);
}
