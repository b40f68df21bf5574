/**
 * Reads an HTTP body of FORMAT Native in pieces of whole blocks. A server that fails in the middle has already said
 * "200 OK": it writes its exception where the next block would begin, and we find it there.
 */
import { DecodeError } from '#model/errors.ts';
import { toStoreError } from '../clickhouse-error.ts';
import { BlockSplitter } from '../native/block-splitter.ts';
import { StoreError } from '../store.ts';

/** An exception's text is at the end of the body and quotes the query: this much of it is kept. */
const exceptionBytesMax = 512 * 1024;

export async function* wholeBlocks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const splitter = new BlockSplitter();
  let broken: DecodeError | undefined;
  let tail = Buffer.alloc(0);
  try {
    for await (const piece of body) {
      tail = lastBytes(tail, piece);
      if (broken !== undefined) continue;
      let whole: Uint8Array | undefined;
      try {
        whole = splitter.push(piece);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        broken = error;
        continue;
      }
      if (whole !== undefined) yield whole;
    }
  } catch (error) {
    throw exceptionIn(tail) ?? error;
  }
  if (broken === undefined && splitter.rest().length === 0) return;
  throw exceptionIn(tail) ?? truncated(broken);
}

function lastBytes(tail: Buffer<ArrayBuffer>, piece: Uint8Array): Buffer<ArrayBuffer> {
  if (piece.length >= exceptionBytesMax) return Buffer.from(piece.subarray(piece.length - exceptionBytesMax));
  const start = Math.max(0, tail.length + piece.length - exceptionBytesMax);
  return Buffer.concat([tail.subarray(start), piece]);
}

function exceptionIn(tail: Buffer): StoreError | undefined {
  const text = tail.toString('utf8');
  const at = text.lastIndexOf('Code: ');
  if (at === -1 || !/^Code: \d+\. DB::Exception: /.test(text.slice(at, at + 40))) return undefined;
  return toStoreError(new Error(text.slice(at)), 'stream');
}

function truncated(cause: DecodeError | undefined): StoreError {
  return new StoreError('stream failed: the server ended it in the middle of a block', {
    retryable: true,
    cause,
  });
}
