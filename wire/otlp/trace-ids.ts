/** The trace ids of an OTLP traces request, straight from the bytes. */
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';

const idBytes = 16;

/**
 * Returns four words (little-endian, as they stand) for each span, in the order of the bytes; zeros for an id that is not
 * 16 bytes long. Throws DecodeError on what is not protobuf.
 */
export function traceIds(bytes: Uint8Array): Uint32Array {
  const reader = new ProtobufReader();
  let words = new Uint32Array(4 * 64);
  let count = 0;
  const walk = (depth: number): void => {
    // ExportTraceServiceRequest 1 -> ResourceSpans 2 -> ScopeSpans 2 -> Span
    const tag = depth === 0 ? 0x0a : 0x12;
    while (reader.position < reader.limit) {
      if (reader.readTag() !== tag) {
        reader.skip();
        continue;
      }
      const outer = reader.enter();
      if (depth < 2) walk(depth + 1);
      else {
        if (count + 4 > words.length) {
          const grown = new Uint32Array(2 * words.length);
          grown.set(words);
          words = grown;
        }
        readId(reader, words, count);
        count += 4;
      }
      reader.leave(outer);
    }
  };
  reader.begin(bytes);
  walk(0);
  return words.subarray(0, count);
}

/** The last id counts, as everywhere in protobuf. */
function readId(reader: ProtobufReader, words: Uint32Array, at: number): void {
  const { view } = reader.source;
  while (reader.position < reader.limit) {
    if (reader.readTag() !== 0x0a) {
      reader.skip();
      continue;
    }
    const start = reader.passBytes();
    const isId = reader.position - start === idBytes;
    for (let word = 0; word < 4; word++) words[at + word] = isId ? view.getUint32(start + 4 * word, true) : 0;
  }
}
