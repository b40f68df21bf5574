/**
 * A request as a tree of messages, to make smaller requests of it: some of its leaves, each under the same ancestors with
 * all that stands beside the leaves there. No value is decoded; unknown fields go along.
 *
 *   readMessageTree(bytes, [[1], [2], [2]])  ->  leaves are OTLP records: request.1 / resource.2 / scope.2
 *   tree.build(marks)  ->  a request with the leaves whose mark is 1, in their order
 */
import { ProtobufReader, wireBytes } from './protobuf-reader.ts';

/** The fields that hold the messages of the next level, by level. Below 16, so that a tag is one byte. */
export type LeafPath = readonly (readonly number[])[];

export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

export class MessageTree {
  readonly #bytes: Uint8Array;
  /** Of each node, parents before children: where its content is, and the field that it came in. */
  readonly #starts: number[] = [0];
  readonly #ends: number[];
  readonly #fields: number[] = [0];
  readonly #parents: number[] = [-1];
  /** Children and pieces of a node are neighbours: from this index to that of the next node. */
  readonly #firstChild: number[] = [];
  readonly #firstPiece: number[] = [];
  /** What is copied of a node beside its children: start, end, start, end... */
  readonly #pieces: number[] = [];
  readonly #firstLeaf: number;

  constructor(bytes: Uint8Array, path: LeafPath) {
    this.#bytes = bytes;
    this.#ends = [bytes.length];
    const reader = new ProtobufReader();
    reader.begin(bytes);
    let levelEnd = 1;
    let node = 0;
    for (const fields of path) {
      for (; node < levelEnd; node++) this.#readNode(reader, node, fields);
      levelEnd = this.#starts.length;
    }
    this.#firstLeaf = node;
    this.#firstChild.push(levelEnd);
    this.#firstPiece.push(this.#pieces.length);
  }

  get leafCount(): number {
    return this.#starts.length - this.#firstLeaf;
  }

  leaf(index: number): LeafRange {
    return {
      start: this.#starts[this.#firstLeaf + index]!,
      end: this.#ends[this.#firstLeaf + index]!,
    };
  }

  /** `marks` has one element for each leaf. */
  build(marks: Uint8Array): Buffer {
    const sizes = this.#sizes(marks);
    const target = Buffer.allocUnsafe(Math.max(0, sizes[0]!));
    const end = this.#write(target, 0, 0, sizes);
    if (end !== target.length)
      throw new Error('BUG: a part of a request has another size than was calculated');
    return target;
  }

  #readNode(reader: ProtobufReader, node: number, fields: readonly number[]): void {
    this.#firstChild.push(this.#starts.length);
    this.#firstPiece.push(this.#pieces.length);
    reader.seek(this.#starts[node]!, this.#ends[node]!);
    let pieceStart = reader.position;
    while (reader.position < reader.limit) {
      const fieldStart = reader.position;
      const tag = reader.readTag();
      if ((tag & 7) !== wireBytes || !fields.includes(tag >>> 3)) {
        reader.skip();
        continue;
      }
      if (fieldStart > pieceStart) this.#pieces.push(pieceStart, fieldStart);
      const start = reader.passBytes();
      this.#starts.push(start);
      this.#ends.push(reader.position);
      this.#fields.push(tag >>> 3);
      this.#parents.push(node);
      pieceStart = reader.position;
    }
    if (reader.position > pieceStart) this.#pieces.push(pieceStart, reader.position);
  }

  /** Of each node's content; -1 where nothing of it is wanted. The root is always wanted. */
  #sizes(marks: Uint8Array): Int32Array {
    const sizes = new Int32Array(this.#starts.length).fill(-1);
    sizes[0] = this.#piecesSize(0);
    for (let index = 0; index < marks.length; index++) {
      if (marks[index] !== 1) continue;
      const leaf = this.#firstLeaf + index;
      sizes[leaf] = this.#ends[leaf]! - this.#starts[leaf]!;
    }
    for (let node = sizes.length - 1; node > 0; node--) {
      if (sizes[node]! < 0) continue;
      const parent = this.#parents[node]!;
      if (sizes[parent]! < 0) sizes[parent] = this.#piecesSize(parent);
      sizes[parent] = sizes[parent]! + 1 + lengthBytes(sizes[node]!) + sizes[node]!;
    }
    return sizes;
  }

  #piecesSize(node: number): number {
    let size = 0;
    for (let at = this.#firstPiece[node]!; at < this.#firstPiece[node + 1]!; at += 2) {
      size += this.#pieces[at + 1]! - this.#pieces[at]!;
    }
    return size;
  }

  /** Returns the position behind the node. Its depth is the path's. */
  #write(target: Buffer, start: number, node: number, sizes: Int32Array): number {
    let position = start;
    if (node >= this.#firstLeaf) {
      return this.#copy(target, position, this.#starts[node]!, this.#ends[node]!);
    }
    for (let at = this.#firstPiece[node]!; at < this.#firstPiece[node + 1]!; at += 2) {
      position = this.#copy(target, position, this.#pieces[at]!, this.#pieces[at + 1]!);
    }
    for (let child = this.#firstChild[node]!; child < this.#firstChild[node + 1]!; child++) {
      if (sizes[child]! < 0) continue;
      target[position++] = (this.#fields[child]! << 3) | wireBytes;
      position = writeLength(target, position, sizes[child]!);
      position = this.#write(target, position, child, sizes);
    }
    return position;
  }

  #copy(target: Buffer, position: number, start: number, end: number): number {
    target.set(this.#bytes.subarray(start, end), position);
    return position + end - start;
  }
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

function writeLength(target: Buffer, start: number, length: number): number {
  let position = start;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) target[position++] = (rest & 0x7f) | 0x80;
  target[position++] = rest;
  return position;
}
