/**
 * The server's side of the forward protocol's handshake (v1, "Handshake Messages"): the client proves that it knows the
 * shared key, and the server that it does.
 *
 *   -> ['HELO', {nonce, auth: '', keepalive: true}]
 *   <- ['PING', host, salt, sha512(salt host nonce key), user, password]
 *   -> ['PONG', true, '', host, sha512(salt host nonce key)]
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { decode, encode } from '@msgpack/msgpack';

const nonceBytes = 16;
/** A PING is a few hundred bytes; more is not decoded. */
const pingBytesMax = 64 * 1024;

export class FluentHandshake {
  readonly #key: string;
  readonly #host: string;
  readonly #nonce = randomBytes(nonceBytes);

  constructor(sharedKey: string, host: string) {
    this.#key = sharedKey;
    this.#host = host;
  }

  /** The first thing that the client must hear. */
  hello(): Uint8Array {
    return encode(['HELO', { nonce: this.#nonce, auth: '', keepalive: true }]);
  }

  /** Returns the answer to a client's PING, and whether it may go on: it must be closed else. */
  answer(ping: Uint8Array): { readonly pong: Uint8Array; readonly isAccepted: boolean } {
    const refuse = (reason: string): { pong: Uint8Array; isAccepted: false } => ({
      pong: encode(['PONG', false, reason, '', '']),
      isAccepted: false,
    });
    if (ping.length > pingBytesMax) return refuse('a PING is expected first');
    const parts: unknown = decode(ping);
    if (!Array.isArray(parts) || parts[0] !== 'PING') return refuse('a PING is expected first');
    const [, host, salt, digest] = parts as unknown[];
    if (typeof host !== 'string' || !isBytesOrText(salt) || typeof digest !== 'string') {
      return refuse('the PING has not the form of the forward protocol');
    }
    const expected = this.#digest(salt, host);
    const given = Buffer.from(digest);
    if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
      return refuse('the shared key is another one');
    }
    return {
      pong: encode(['PONG', true, '', this.#host, this.#digest(salt, this.#host)]),
      isAccepted: true,
    };
  }

  #digest(salt: Uint8Array | string, host: string): string {
    const hash = createHash('sha512').update(salt).update(host).update(this.#nonce).update(this.#key);
    return hash.digest('hex');
  }
}

function isBytesOrText(value: unknown): value is Uint8Array | string {
  return typeof value === 'string' || value instanceof Uint8Array;
}
