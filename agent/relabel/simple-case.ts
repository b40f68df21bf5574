/**
 * Upper and lower case one character at a time, as Go's strings.ToUpper and ToLower do it: JavaScript's own methods
 * follow Unicode's special cases, which make `SS` of `ß` and look at a letter's neighbours.
 */

export function toSimpleLower(text: string): string {
  return mapSpecial(text, text.toLowerCase(), (character) =>
    character === 'İ' ? 'i' : character.toLowerCase(),
  );
}

export function toSimpleUpper(text: string): string {
  return mapSpecial(text, text.toUpperCase(), simpleUpper);
}

function mapSpecial(text: string, mapped: string, map: (character: string) => string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return mapped;
  let result = '';
  for (const character of text) result += map(character);
  return result;
}

function simpleUpper(character: string): string {
  const upper = character.toUpperCase();
  if ([...upper].length === 1) return upper;
  // Greek with iota subscript has a single capital of its own besides the special case of two letters.
  const code = character.codePointAt(0)!;
  const isInRow = code >= 0x1f80 && code <= 0x1faf && (code & 0xf) < 8;
  if (isInRow) return String.fromCodePoint(code + 8);
  const isLongVowel = code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3;
  return isLongVowel ? String.fromCodePoint(code + 9) : character;
}
