/** Two places of one expression in a text: which positions are the same part of it. */
import { type Expression, partsOf } from '../tree.ts';

/** From each part's start in `a` to that in `b`, which must be equal but for positions. */
export function pairPositions(a: Expression, b: Expression): Map<number, number> {
  const pairs = new Map<number, number>();
  pair(a, b, pairs);
  return pairs;
}

function pair(a: Expression, b: Expression, pairs: Map<number, number>): void {
  pairs.set(a.start, b.start);
  const left = partsOf(a);
  const right = partsOf(b);
  left.forEach((part, i) => {
    pair(part, right[i], pairs);
  });
}
