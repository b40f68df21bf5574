/**
 * How well a name fits what a person typed, from 0 (not at all) to 1: Prometheus's search API scores by these two.
 *
 *   subsequence: the letters in their order; runs count by their squares, gaps cost
 *   jarowinkler: a part of the name, the earlier the better; or else letters nearby, with a bonus for an equal start
 */

export type FuzzyAlgorithm = 'subsequence' | 'jarowinkler';

export const fuzzyAlgorithms: readonly FuzzyAlgorithm[] = ['subsequence', 'jarowinkler'];

export interface SearchTerms {
  /** Any of them may fit; empty ones fit nothing and are left out. */
  readonly terms: readonly string[];
  readonly algorithm: FuzzyAlgorithm;
  /** 0 to 1: names that score less do not fit. */
  readonly threshold: number;
  readonly isCaseSensitive: boolean;
}

/** Returns a name's score, undefined where it does not fit. Without terms every name fits. */
export function createScorer(search: SearchTerms): (name: string) => number | undefined {
  const fold = (text: string) => (search.isCaseSensitive ? text : text.toLowerCase());
  const terms = search.terms.filter((term) => term !== '').map((term) => [...fold(term)]);
  if (terms.length === 0) return () => 1;
  const scoreTerm = search.algorithm === 'subsequence' ? fitSubsequence : fitNearby;
  return (name) => {
    const letters = [...fold(name)];
    let best: number | undefined;
    for (const term of terms) {
      const score = scoreTerm(term, letters, search.threshold);
      if (score !== undefined && (best === undefined || score > best)) best = score;
      if (best === 1) break;
    }
    return best;
  };
}

function startsWith(letters: readonly string[], term: readonly string[], at = 0): boolean {
  return at + term.length <= letters.length && term.every((letter, i) => letters[at + i] === letter);
}

function fitSubsequence(
  term: readonly string[],
  letters: readonly string[],
  threshold: number,
): number | undefined {
  if (startsWith(letters, term)) return 1;
  const score = subsequenceScore(term, letters);
  return score > 0 && score >= threshold ? score : undefined;
}

/** What fits, but not from the start, is never perfect. */
const inexactScale = 0.999;

function subsequenceScore(term: readonly string[], letters: readonly string[]): number {
  let best = -1;
  for (let start = 0; start <= letters.length - term.length; start++) {
    if (letters[start] !== term[0]) continue;
    const score = scoreFrom(term, letters, start);
    // Whoever cannot be completed from here cannot from later.
    if (score === undefined) break;
    best = Math.max(best, score);
  }
  return best < 0 ? 0 : (best / (term.length * term.length)) * inexactScale;
}

/** Takes each letter as early as it comes. A run of n letters is worth n^2, a letter between runs costs its share of the name. */
function scoreFrom(term: readonly string[], letters: readonly string[], start: number): number | undefined {
  const share = 1 / letters.length;
  let score = 0;
  let gapStart = 0;
  let at = start;
  let found = 0;
  while (found < term.length) {
    while (at < letters.length && letters[at] !== term[found]) at++;
    if (at === letters.length) return undefined;
    if (at > gapStart) score -= (at - gapStart) * share;
    const runStart = at;
    while (found < term.length && at < letters.length && letters[at] === term[found]) {
      at++;
      found++;
    }
    score += (at - runStart) ** 2;
    gapStart = at;
  }
  const trailing = letters.length - gapStart;
  return trailing > 0 ? score - trailing * share * 0.5 : score;
}

function fitNearby(
  term: readonly string[],
  letters: readonly string[],
  threshold: number,
): number | undefined {
  const partScore = fitPart(term, letters);
  if (partScore !== undefined) return partScore;
  if (threshold === 0) return undefined;
  const score = jaroWinkler(term, letters);
  return score >= threshold ? score : undefined;
}

/** 1 at the start, and down to 0.1 at the end. */
function fitPart(term: readonly string[], letters: readonly string[]): number | undefined {
  const last = letters.length - term.length;
  for (let at = 0; at <= last; at++) {
    if (startsWith(letters, term, at)) return at === 0 ? 1 : 1 - (0.9 * at) / last;
  }
  return undefined;
}

const prefixLengthMax = 4;
const prefixWeight = 0.1;

/** https://en.wikipedia.org/wiki/Jaro-Winkler_distance */
function jaroWinkler(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const reach = Math.max(0, Math.floor(long.length / 2) - 1);
  const isShortTaken = new Array<boolean>(short.length).fill(false);
  const isLongTaken = new Array<boolean>(long.length).fill(false);
  let matches = 0;
  for (let i = 0; i < short.length; i++) {
    for (let j = Math.max(0, i - reach); j < Math.min(long.length, i + reach + 1); j++) {
      if (isLongTaken[j] || short[i] !== long[j]) continue;
      isShortTaken[i] = true;
      isLongTaken[j] = true;
      matches++;
      break;
    }
  }
  if (matches === 0) return 0;
  const shortLetters = short.filter((_letter, i) => isShortTaken[i]);
  const longLetters = long.filter((_letter, j) => isLongTaken[j]);
  const displaced = shortLetters.filter((letter, i) => letter !== longLetters[i]).length;
  const jaro =
    (matches * (1 / short.length) + matches * (1 / long.length) + (matches - displaced / 2) / matches) / 3;
  let prefix = 0;
  while (prefix < Math.min(prefixLengthMax, short.length) && short[prefix] === long[prefix]) prefix++;
  return jaro + prefix * prefixWeight * (1 - jaro);
}
