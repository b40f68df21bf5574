/**
 * Replaces what detectors and own expressions find in a text: bytes in, bytes out, nothing copied where nothing is found.
 *
 *   'user ada@example.org from 10.0.0.1'  ->  'user [email] from [ipv4]'
 */
import { type ByteSource, ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';
import type { BytePattern } from '../byte-pattern.ts';
import { classes, type Detector, digitBit, type Finding, letterBit } from './detector.ts';

export interface OwnPattern {
  readonly name: string;
  readonly pattern: BytePattern;
}

/** What stands for a secret: must be UTF-8. `kind` is an index: the detectors first, then the own patterns. */
export type Replacement = (kind: number, bytes: Buffer, from: number, to: number) => Buffer;

const atStart = 256;
const wordEndBit = 0x8000;
const detectorBits = wordEndBit - 1;

export class SecretScanner {
  /** By kind: secrets found since the counts were last set to 0. */
  readonly counts: Float64Array;
  readonly #detectors: readonly Detector[];
  readonly #patterns: readonly OwnPattern[];
  readonly #replacement: Replacement;
  /**
   * By byte: a bit for each detector that is to be asked, behind a letter or digit, and anywhere else (atStart up); and
   * wordEndBit where the byte is no letter or digit.
   */
  readonly #triggers = new Uint16Array(2 * atStart);
  /** By the byte that follows: a bit for each detector that it fits. */
  readonly #followers = new Uint16Array(256);
  readonly #found: Finding = { from: 0, to: 0 };
  /** Detectors write to the first, own patterns in turns to the others. */
  readonly #texts: readonly ByteWriter[];

  constructor(detectors: readonly Detector[], patterns: readonly OwnPattern[], replacement: Replacement) {
    this.#detectors = detectors;
    this.#patterns = patterns;
    this.#replacement = replacement;
    this.counts = new Float64Array(detectors.length + patterns.length);
    this.#texts = Array.from({ length: 3 }, () => new ByteWriter(256));
    for (let byte = 0; byte < atStart; byte++) {
      if ((classes[byte] & (digitBit | letterBit)) !== 0) continue;
      this.#triggers[byte] = wordEndBit;
      this.#triggers[atStart + byte] = wordEndBit;
    }
    for (const [index, { triggers, followers, isAtWordStart }] of detectors.entries()) {
      for (let byte = 0; byte < atStart; byte++) {
        if (followers?.includes(String.fromCharCode(byte)) ?? true) this.#followers[byte] |= 1 << index;
      }
      for (const trigger of triggers) {
        const byte = trigger.charCodeAt(0);
        if (!isAtWordStart) this.#triggers[byte] |= 1 << index;
        this.#triggers[atStart + byte] |= 1 << index;
      }
    }
  }

  /**
   * Returns source[from, to) without its secrets: a writer that is valid until the next call, or undefined where none
   * was found.
   */
  scan(source: ByteSource, from: number, to: number): ByteWriter | undefined {
    const text = this.#scanBytes(source, from, to);
    return this.#patterns.length === 0 ? text : this.#scanPatterns(text, source, from, to);
  }

  #scanPatterns(
    scanned: ByteWriter | undefined,
    source: ByteSource,
    from: number,
    to: number,
  ): ByteWriter | undefined {
    let text = scanned;
    for (const [index, { pattern }] of this.#patterns.entries()) {
      const next = this.#texts[text === this.#texts[1] ? 2 : 1]!;
      const replaced =
        text === undefined
          ? this.#scanPattern(pattern, index, source, from, to, next)
          : this.#scanPattern(pattern, index, text, 0, text.position, next);
      text = replaced ?? text;
    }
    return text;
  }

  #scanBytes(source: ByteSource, from: number, to: number): ByteWriter | undefined {
    const { bytes } = source;
    const triggers = this.#triggers;
    const followers = this.#followers;
    let text: ByteWriter | undefined;
    let copied = from;
    let at = nextTrigger(bytes, triggers, followers, from, to, atStart);
    while (at < to) {
      const place = at > copied ? placeAfter(triggers, bytes[at - 1]) : at > from ? 0 : atStart;
      const kind = this.#ask(bytes, triggers[place + bytes[at]] & followers[bytes[at + 1]], copied, at, to);
      if (kind === -1) {
        at = nextTrigger(bytes, triggers, followers, at + 1, to, placeAfter(triggers, bytes[at]));
        continue;
      }
      if (text === undefined) {
        text = this.#texts[0]!;
        text.clear();
      }
      const found = this.#found;
      this.#replace(text, source, copied, kind, found.from, found.to);
      copied = found.to;
      at = nextTrigger(bytes, triggers, followers, copied, to, 0);
    }
    if (text !== undefined) appendRange(text, source, copied, to);
    return text;
  }

  /** Returns the first detector of `hits` that finds something at `at`, or -1. */
  #ask(bytes: Buffer, hits: number, from: number, at: number, to: number): number {
    for (let rest = hits; rest !== 0; rest &= rest - 1) {
      const index = 31 - Math.clz32(rest & -rest);
      if (this.#detectors[index]!.find(bytes, from, at, to, this.#found)) return index;
    }
    return -1;
  }

  #scanPattern(
    pattern: BytePattern,
    index: number,
    source: ByteSource,
    from: number,
    to: number,
    text: ByteWriter,
  ): ByteWriter | undefined {
    let copied = from;
    let isFound = false;
    pattern.forEach(source, from, to, ([whole]) => {
      const { from: start, to: end } = whole!;
      // An expression that matches nothing at all has nothing to hide.
      if (start === end) return true;
      if (!isFound) text.clear();
      isFound = true;
      this.#replace(text, source, copied, this.#detectors.length + index, start, end);
      copied = end;
      return true;
    });
    if (!isFound) return undefined;
    appendRange(text, source, copied, to);
    return text;
  }

  #replace(
    text: ByteWriter,
    source: ByteSource,
    copied: number,
    kind: number,
    from: number,
    to: number,
  ): void {
    this.counts[kind]++;
    appendRange(text, source, copied, from);
    const mask = this.#replacement(kind, source.bytes, from, to);
    text.reserve(mask.length);
    text.bytes.set(mask, text.position);
    text.position += mask.length;
  }
}

function appendRange(text: ByteWriter, source: ByteSource, from: number, to: number): void {
  text.reserve(to - from);
  copyBytes(text, source, from, to);
}

/**
 * Returns the position of the first byte at which a detector is to be asked, or `to`. By itself, so that V8 keeps it small.
 * Looks at the byte behind the range too: a detector that is asked for nothing does no harm.
 */
function nextTrigger(
  bytes: Uint8Array,
  triggers: Uint16Array,
  followers: Uint16Array,
  from: number,
  to: number,
  placeFrom: number,
): number {
  let place = placeFrom;
  for (let at = from; at < to; at++) {
    const entry = triggers[place + bytes[at]];
    if ((entry & detectorBits) !== 0 && (entry & followers[bytes[at + 1]]) !== 0) return at;
    // 0x8000 becomes 256: atStart.
    place = (entry & wordEndBit) >> 7;
  }
  return to;
}

function placeAfter(triggers: Uint16Array, byte: number): number {
  return (triggers[byte] & wordEndBit) >> 7;
}
