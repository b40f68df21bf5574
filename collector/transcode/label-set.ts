/**
 * Names and values as bytes in one scratch buffer, and their canonical form: sorted by the bytes of the names,
 * `name 0xff value 0xff` after one another. 0xff occurs in no UTF-8 text, so different sets have different forms.
 *
 * The identity of series and of log streams is the 64-bit hash of that form: it must never depend on the order or
 * the encoding in which a sender wrote the pairs.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { compareBytes } from './byte-copy.ts';
import type { Hash64 } from './byte-hash.ts';

const initialPairs = 64;
const separator = 0xff;
const valueJoint = 0x3b;

export class LabelSet {
  /** Holds all names and values; the positions below are offsets in it. */
  readonly text = new ByteBuffer();
  count = 0;
  nameStarts = new Int32Array(initialPairs);
  nameLengths = new Int32Array(initialPairs);
  valueStarts = new Int32Array(initialPairs);
  valueLengths = new Int32Array(initialPairs);
  /** After sort(): the pairs' numbers in the order of their names. */
  order = new Int32Array(initialPairs);
  readonly #canonical = new ByteBuffer();
  #pairCount = 0;

  clear(): void {
    this.count = 0;
    this.#pairCount = 0;
    this.text.reset();
  }

  add(
    nameSource: ByteView,
    nameStart: number,
    nameLength: number,
    valueSource: ByteView,
    valueStart: number,
    valueLength: number,
  ): void {
    const start = this.text.length;
    this.text.pushRange(nameSource, nameStart, nameLength);
    this.addNamed(start, valueSource, valueStart, valueLength);
  }

  /** Adds a pair whose name was already written to `text`, from `nameStart` to its end. */
  addNamed(nameStart: number, valueSource: ByteView, valueStart: number, valueLength: number): void {
    if (this.#pairCount === this.order.length) this.#grow();
    const pair = this.#pairCount++;
    this.count = this.#pairCount;
    this.nameStarts[pair] = nameStart;
    this.nameLengths[pair] = this.text.length - nameStart;
    this.valueStarts[pair] = this.text.length;
    this.valueLengths[pair] = valueLength;
    this.text.pushRange(valueSource, valueStart, valueLength);
  }

  sort(): void {
    const order = this.order.subarray(0, this.count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    // Pairs mostly come sorted. Equal names keep the order in which they were added.
    for (let i = 1; i < order.length; i++) {
      if (this.compareNames(i - 1, i) > 0) {
        order.sort((a, b) => this.compareNames(a, b) || a - b);
        return;
      }
    }
  }

  /**
   * After sort(): joins the values of pairs with one name by ";", in the order in which they were added. Afterwards
   * `order` has fewer pairs, and nothing may be added until clear().
   */
  mergeDuplicates(): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      const pair = this.order[i];
      if (kept > 0 && this.compareNames(this.order[kept - 1], pair) === 0) {
        this.#appendValue(this.order[kept - 1], pair);
      } else this.order[kept++] = pair;
    }
    this.count = kept;
  }

  #appendValue(to: number, from: number): void {
    const { text } = this;
    const start = text.length;
    text.ensure(this.valueLengths[to] + this.valueLengths[from] + 1);
    text.pushRange(text.data, this.valueStarts[to], this.valueLengths[to]);
    text.pushByte(valueJoint);
    text.pushRange(text.data, this.valueStarts[from], this.valueLengths[from]);
    this.valueStarts[to] = start;
    this.valueLengths[to] = text.length - start;
  }

  compareNames(a: number, b: number): number {
    return compareBytes(
      this.text.data,
      this.nameStarts[a],
      this.nameLengths[a],
      this.nameStarts[b],
      this.nameLengths[b],
    );
  }

  /** After sort(): the number of a pair whose name an earlier one has too, or -1. */
  duplicate(): number {
    for (let i = 1; i < this.count; i++) {
      if (this.compareNames(this.order[i - 1], this.order[i]) === 0) return this.order[i];
    }
    return -1;
  }

  /** After sort(): leaves the hash of the canonical form in `hash`. */
  hash(hash: Hash64): void {
    const canonical = this.#canonical;
    canonical.reset();
    for (let i = 0; i < this.count; i++) {
      const pair = this.order[i];
      canonical.pushRange(this.text.data, this.nameStarts[pair], this.nameLengths[pair]);
      canonical.pushByte(separator);
      canonical.pushRange(this.text.data, this.valueStarts[pair], this.valueLengths[pair]);
      canonical.pushByte(separator);
    }
    hash.begin();
    hash.addRange(canonical.data, 0, canonical.length);
    hash.finish();
  }

  #grow(): void {
    const doubled = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.nameStarts = doubled(this.nameStarts);
    this.nameLengths = doubled(this.nameLengths);
    this.valueStarts = doubled(this.valueStarts);
    this.valueLengths = doubled(this.valueLengths);
    this.order = doubled(this.order);
  }
}
