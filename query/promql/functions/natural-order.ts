/** The order of names with numbers in them: `cpu2` before `cpu10`. */

const chunks = /\d+|\D+/g;

/** Negative where `a` comes first, 0 where they are the same. Runs of digits compare by number, the rest by characters. */
export function compareNaturally(a: string, b: string): number {
  const left = a.match(chunks) ?? [];
  const right = b.match(chunks) ?? [];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] === right[i]) continue;
    if (isNumber(left[i]) && isNumber(right[i])) {
      const order = compareDigits(left[i], right[i]);
      if (order !== 0) return order;
      continue;
    }
    return left[i] < right[i] ? -1 : 1;
  }
  if (left.length !== right.length) return left.length - right.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

function isNumber(chunk: string): boolean {
  return chunk >= '0' && chunk < ':';
}

/** Without the loss that doubles have beyond 2^53. */
function compareDigits(a: string, b: string): number {
  const left = a.replace(/^0+/, '');
  const right = b.replace(/^0+/, '');
  if (left.length !== right.length) return left.length - right.length;
  return left === right ? 0 : left < right ? -1 : 1;
}
