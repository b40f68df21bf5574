/**
 * Finds syslog messages in a byte stream (RFC 6587, and RFC 5425 for TLS): the first byte of a connection says which of
 * both framings its sender uses.
 *
 *   '5 <1>ab4 <1>c'   ->  '<1>ab', '<1>c'      octet counting: MSG-LEN SP SYSLOG-MSG
 *   '<1>ab\n<1>c\n'   ->  '<1>ab', '<1>c'      non-transparent framing: newlines end messages
 *
 * It holds at most messageBytesMax: a longer message keeps its head, and its tail is skipped and reported.
 */
import { DecodeError } from '#model/errors.ts';

/** bytes[from, to) is one message, which must be used before the call returns. */
export type MessageTaker = (bytes: Buffer, from: number, to: number, bytesCut: number) => void;

const newline = 0x0a;
const space = 0x20;
/** More digits than any message has: the stream is no octet counting, or has lost its place. */
const lengthDigitsMax = 9;

export class SyslogFraming {
  readonly #messageBytesMax: number;
  readonly #take: MessageTaker;
  #framing: 'unknown' | 'octets' | 'newlines' = 'unknown';
  /** The head of a message whose end has not come. */
  #kept: Buffer;
  #keptBytes = 0;
  #cutBytes = 0;
  /** Octet counting: bytes that the message still has, or -1 while its length is read. */
  #missing = -1;
  #length = 0;
  #lengthDigits = 0;

  constructor(messageBytesMax: number, take: MessageTaker) {
    this.#messageBytesMax = messageBytesMax;
    this.#take = take;
    this.#kept = Buffer.alloc(0);
  }

  /** Takes the next bytes. Throws DecodeError where octet counting has lost its place: the connection must be closed. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.#framing === 'unknown') {
      this.#framing = chunk[0]! >= 0x31 && chunk[0]! <= 0x39 ? 'octets' : 'newlines';
    }
    if (this.#framing === 'octets') this.#pushOctets(chunk);
    else this.#pushLines(chunk);
  }

  /**
   * The stream has ended. A last line without a newline is a message; of one with a length, what came is kept. The bytes
   * that its length promised are counted as cut.
   */
  end(): void {
    const isOpen = this.#framing === 'octets' ? this.#missing > 0 : true;
    if (isOpen && this.#keptBytes > 0) this.#finishKept(Math.max(this.#missing, 0));
    this.#missing = -1;
  }

  #pushLines(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(newline, from);
      if (end < 0) break;
      if (this.#keptBytes > 0) {
        this.#keep(chunk, from, end);
        this.#finishKept(0);
      } else this.#give(chunk, from, end, 0);
      from = end + 1;
    }
    this.#keep(chunk, from, chunk.length);
  }

  #pushOctets(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing < 0) {
        at = this.#readLength(chunk, at);
        continue;
      }
      const to = Math.min(at + this.#missing, chunk.length);
      const isWhole = to - at === this.#missing;
      if (isWhole && this.#keptBytes === 0) this.#give(chunk, at, to, 0);
      else {
        this.#keep(chunk, at, to);
        if (isWhole) this.#finishKept(0);
      }
      this.#missing = isWhole ? -1 : this.#missing - (to - at);
      at = to;
    }
  }

  #readLength(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === space && this.#lengthDigits > 0) {
        this.#missing = this.#length === 0 ? -1 : this.#length;
        this.#length = 0;
        this.#lengthDigits = 0;
        return at + 1;
      }
      // Some senders end messages with a newline besides.
      if ((byte === newline || byte === 0x0d) && this.#lengthDigits === 0) continue;
      if (byte < 0x30 || byte > 0x39 || this.#lengthDigits === lengthDigitsMax) {
        throw new DecodeError('expected the length of a syslog message (RFC 6587 3.4.1)', at);
      }
      this.#length = this.#length * 10 + byte - 0x30;
      this.#lengthDigits++;
    }
    return at;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const byteCount = Math.min(to - from, this.#messageBytesMax - this.#keptBytes);
    this.#cutBytes += to - from - byteCount;
    if (byteCount === 0) return;
    const needed = this.#keptBytes + byteCount;
    if (needed > this.#kept.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(Math.max(needed, 2 * this.#kept.length, 1024), this.#messageBytesMax),
      );
      this.#kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
    }
    chunk.copy(this.#kept, this.#keptBytes, from, from + byteCount);
    this.#keptBytes = needed;
  }

  #finishKept(bytesMissing: number): void {
    const [byteCount, cut] = [this.#keptBytes, this.#cutBytes + bytesMissing];
    this.#keptBytes = 0;
    this.#cutBytes = 0;
    this.#give(this.#kept, 0, byteCount, cut);
  }

  #give(bytes: Buffer, from: number, to: number, bytesCut: number): void {
    if (to === from) return;
    const end = Math.min(to, from + this.#messageBytesMax);
    this.#take(bytes, from, end, bytesCut + to - end);
  }
}
