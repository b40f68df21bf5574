/**
 * Reads the labels of a page's series as bytes, without making strings: what they become (series-admission.ts) is known by
 * their names (label-shapes.ts).
 *
 *   read(page, view, start)  ->  where the series text ends, and fill(texts) gives the labels sorted and merged with the target's
 *
 * What is rare is left to the code that makes strings: quoted names, blanks, escapes, texts beyond ASCII.
 */
import { normalizedBound } from './bound-label.ts';
import type { LabelShapes, Shape, ShapeNode } from './label-shapes.ts';
import { hashByte, hashEnd, hashStart, hashText, type LabelTexts } from './label-texts.ts';
import type { ScrapeLimits } from './scrape-settings.ts';
import { grown } from './series-columns.ts';
import { labelNameEnd, metricNameEnd, seriesBytesMax } from './series-text.ts';

const quote = 34;
const comma = 44;
const equals = 61;
const backslash = 92;
const braceOpen = 123;
const braceClose = 125;
const space = 32;
const newline = 10;
const valuesMin = 32;
/** Names that may follow the same names, and labels of a series: more of them are read as text. */
const childrenMax = 64;
const labelsMax = 128;

const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

export class LabelReader {
  readonly #shapes: LabelShapes;
  #page: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#page.buffer);
  #node: ShapeNode;
  #shape: Shape | false = false;
  /** The page's values, in its order; that of the metric's name first. */
  #starts = new Int32Array(valuesMin);
  #ends = new Int32Array(valuesMin);
  #hashes = new Int32Array(valuesMin);
  /** Where the label of each value starts. */
  #labelStarts = new Int32Array(valuesMin);
  #count = 0;
  #hasEmpty = false;
  #bound = -1;
  #boundValue = -1;
  readonly #bounds = new Map<string, number>();
  #boundsOf: object;

  constructor(shapes: LabelShapes) {
    this.#shapes = shapes;
    this.#node = shapes.root;
    this.#boundsOf = shapes.constants;
  }

  get nameEnd(): number {
    return this.#ends[0]!;
  }

  /** Reads the series text at `start`. Returns the place behind it, or -1 where it must be read as text. */
  read(page: Uint8Array, view: DataView, start: number): number {
    this.#shapes.bound();
    this.#page = page;
    this.#view = view;
    this.#node = this.#shapes.root;
    this.#count = 0;
    this.#hasEmpty = false;
    this.#bound = -1;
    const nameEnd = metricNameEnd(page, start);
    if (nameEnd === start) return -1;
    this.#addValue(start, start, nameEnd, hashText(page, start, nameEnd));
    const end = page[nameEnd] === braceOpen ? this.#readLabels(nameEnd + 1) : nameEnd;
    if (end < 0 || page[end] !== space || end - start > seriesBytesMax) return -1;
    const shape = this.#shapes.shapeOf(this.#node);
    this.#shape = shape;
    return shape === false || (this.#hasEmpty && shape.needsValues) ? -1 : end;
  }

  /** Says that le of a histogram, or quantile of a summary, is a number, whose form is normalized. */
  normalizeBound(type: string): void {
    const shape = this.#shape;
    if (shape === false) return;
    const bound =
      type === 'summary' ? shape.quantile : type === 'histogram' || type === 'gaugehistogram' ? shape.le : -1;
    if (bound < 0 || this.#starts[bound] === this.#ends[bound]) return;
    if (this.#boundsOf !== this.#shapes.constants) this.#bounds.clear();
    this.#boundsOf = this.#shapes.constants;
    const text = latin1Slice.call(this.#page, this.#starts[bound]!, this.#ends[bound]!);
    let value = this.#bounds.get(text);
    if (value === undefined) {
      value = this.#shapes.constants.of(normalizedBound(text));
      this.#bounds.set(text, value);
    }
    this.#bound = bound;
    this.#boundValue = value;
  }

  /** Gives the labels to `texts`. Returns false where they are over a limit. */
  fill(texts: LabelTexts, limits: ScrapeLimits): boolean {
    if (this.#shape === false) return false;
    const { constants } = this.#shapes;
    texts.begin(this.#page, this.#view, constants);
    for (const { name, pageValue, value } of this.#shape.labels) {
      if (pageValue >= 0 && pageValue !== this.#bound && this.#starts[pageValue] === this.#ends[pageValue]) {
        continue;
      }
      texts.addConstant(name);
      if (pageValue < 0) texts.addConstant(value);
      else if (pageValue === this.#bound) texts.addConstant(this.#boundValue);
      else texts.addPlace(this.#starts[pageValue]!, this.#ends[pageValue]!, this.#hashes[pageValue]!);
    }
    return isWithin(texts, limits);
  }

  /** Returns the labels but le and quantile as they stand in the page: the same for all series of a histogram. */
  groupText(): string {
    const { le = -1, quantile = -1 } = this.#shape === false ? {} : this.#shape;
    let text = '';
    for (let value = 1; value < this.#count; value++) {
      if (value === le || value === quantile) continue;
      text += `,${latin1Slice.call(this.#page, this.#labelStarts[value]!, this.#ends[value]!)}`;
    }
    return text;
  }

  /** Reads the labels behind "{". Returns the place behind "}", or -1. */
  #readLabels(start: number): number {
    const page = this.#page;
    let at = start;
    let node = this.#node;
    while (page[at] !== braceClose) {
      const labelStart = at;
      const child = childAt(node, page, at) ?? this.#newChild(node, at);
      if (!child) return -1;
      node = child;
      at += child.name.length + 2;
      if (page[at - 1] !== quote) return -1;
      const valueStart = at;
      let hash = hashStart;
      let bits = 0;
      for (let byte = page[at]!; byte !== quote; byte = page[++at]!) {
        // Behind the end of the page there is undefined, which is neither.
        if (byte === backslash || byte === newline || at >= page.length) return -1;
        bits |= byte;
        hash = hashByte(hash, byte);
      }
      if (bits >= 0x80) return -1;
      if (at === valueStart) this.#hasEmpty = true;
      this.#addValue(labelStart, valueStart, at, hashEnd(hash));
      at++;
      if (page[at] === comma) at++;
      else if (page[at] !== braceClose) return -1;
    }
    this.#node = node;
    return at + 1;
  }

  #newChild(node: ShapeNode, start: number): ShapeNode | undefined {
    if (node.children.length >= childrenMax || node.names.length >= labelsMax) return undefined;
    const page = this.#page;
    const end = labelNameEnd(page, start);
    return end > start && page[end] === equals
      ? this.#shapes.addChild(node, page.subarray(start, end))
      : undefined;
  }

  #addValue(labelStart: number, start: number, end: number, hash: number): void {
    const value = this.#count++;
    if (value === this.#starts.length) this.#grow();
    this.#labelStarts[value] = labelStart;
    this.#starts[value] = start;
    this.#ends[value] = end;
    this.#hashes[value] = hash;
  }

  #grow(): void {
    const length = this.#starts.length * 2;
    this.#labelStarts = grown(this.#labelStarts, new Int32Array(length));
    this.#starts = grown(this.#starts, new Int32Array(length));
    this.#ends = grown(this.#ends, new Int32Array(length));
    this.#hashes = grown(this.#hashes, new Int32Array(length));
  }
}

/** Returns the child whose name stands at `at`, with "=" behind it. */
function childAt(node: ShapeNode, page: Uint8Array, at: number): ShapeNode | undefined {
  const { children } = node;
  for (let i = 0; i < children.length; i++) {
    const child = children[i]!;
    if (!isNameAt(child.name, page, at)) continue;
    if (i > 0) {
      children[i] = children[0]!;
      children[0] = child;
    }
    return child;
  }
  return undefined;
}

function isNameAt(name: Uint8Array, page: Uint8Array, start: number): boolean {
  let at = start;
  for (let i = 0; i < name.length; i++, at++) if (page[at] !== name[i]) return false;
  return page[at] === equals;
}

function isWithin(texts: LabelTexts, limits: ScrapeLimits): boolean {
  if (limits.labels > 0 && texts.count > limits.labels * 2) return false;
  if (limits.labelNameBytes === 0 && limits.labelValueBytes === 0) return true;
  for (let text = 0; text < texts.count; text++) {
    const bytesMax = text % 2 === 0 ? limits.labelNameBytes : limits.labelValueBytes;
    if (bytesMax > 0 && texts.ends[text]! - texts.starts[text]! > bytesMax) return false;
  }
  return true;
}
