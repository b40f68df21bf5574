/** Finds the known name that a mistyped one probably meant, by edit distance. */

/** Returns undefined where nothing is near: more than a third of the letters differ. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = Math.min(
      editDistance(name, candidate),
      // `agent.globs` for `agent.logs.globs`: the last words agree, a section was left out.
      candidate.endsWith(`.${name.split('.').at(-1)}`) && candidate.startsWith(`${name.split('.')[0]}.`)
        ? 1
        : 99,
    );
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance; both texts are option names, so short. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
