/**
 * What a regular expression says about plain texts: whether it is nothing but texts, and what all its matches have in them.
 *
 *   patternTexts('^a\.b|c')  ->  'a.b' at the start, 'c'      requiredText('x+ yz[0-9]')  ->  ' yz'
 *
 * Both may say less than is true, never more: undefined and '' send a record to the expression itself.
 */
import type { PlacedText } from './literal-search.ts';

/** More texts than this are one expression's work. */
const textsMax = 8;

/** '{1000,1000}' */
const repeatCharsMax = 12;

const special = new Set('.+*?()|[]{}^$\\');
const isPunctuation = (letter: string): boolean =>
  letter.charCodeAt(0) < 0x80 && !/[A-Za-z0-9_\s]/.test(letter);

/** The texts whose alternation the expression is, or undefined where it is more. */
export function patternTexts(pattern: string): PlacedText[] | undefined {
  const parts = pattern.split(/(?<!\\)\|/);
  if (parts.length > textsMax) return undefined;
  const texts: PlacedText[] = [];
  for (const part of parts) {
    const isStart = part.startsWith('^');
    const isEnd = /(?<!\\)\$$/.test(part);
    const text = plainText(part.slice(isStart ? 1 : 0, isEnd ? -1 : undefined));
    if (text === undefined) return undefined;
    texts.push({ text, isStart, isEnd });
  }
  return texts;
}

function plainText(part: string): string | undefined {
  let text = '';
  const letters = [...part];
  for (let index = 0; index < letters.length; index++) {
    const letter = letters[index]!;
    if (letter === '\\') {
      const escaped = letters[++index];
      if (escaped === undefined || !isPunctuation(escaped)) return undefined;
      text += escaped;
    } else if (special.has(letter)) return undefined;
    else text += letter;
  }
  return text;
}

/** The longest text that each match must contain, as far as it is easily seen; else ''. */
export function requiredText(pattern: string): string {
  // Flags change what letters mean, \Q what everything means.
  if (/\(\?[^:P<]|\\Q/.test(pattern)) return '';
  let longest = '';
  let run: string[] = [];
  const endRun = (): void => {
    const text = run.join('');
    if (text.length > longest.length) longest = text;
    run = [];
  };
  const letters = [...pattern];
  for (let index = 0; index < letters.length; index++) {
    const letter = letters[index]!;
    if (letter === '|') return '';
    if (letter === '\\' && isPunctuation(letters[index + 1] ?? 'x')) run.push(letters[++index]!);
    else if (letter === '+') endRun();
    else if (letter === '*' || letter === '?' || letter === '{') {
      // What it repeats may be missing.
      run.pop();
      endRun();
      if (letter === '{') {
        const repeat = /^\{\d+(,\d*)?\}/.exec(letters.slice(index, index + repeatCharsMax).join(''));
        // A brace that repeats nothing is a letter: rare enough to be left to the expression.
        if (repeat === null) return '';
        index += repeat[0].length - 1;
      }
    } else if (letter === '(' || letter === '[') {
      endRun();
      index = closingOf(letters, index);
      if (index === letters.length) return '';
    } else if (letter === '\\') {
      endRun();
      // What follows \pL and \x{...} is a part of them: left to the expression.
      index++;
      if (/[pPx0-7]/.test(letters[index] ?? '')) return '';
    } else if (special.has(letter)) endRun();
    else run.push(letter);
  }
  endRun();
  return longest;
}

/** The index of what closes the group or class that opens at `open`; the end where nothing does. */
function closingOf(letters: readonly string[], open: number): number {
  let depth = 0;
  let isClass = false;
  for (let index = open; index < letters.length; index++) {
    const letter = letters[index];
    if (letter === '\\') index++;
    else if (isClass) {
      // A bracket right behind the opening one is a letter of the class.
      const isFirst =
        letters[index - 1] === '[' || (letters[index - 1] === '^' && letters[index - 2] === '[');
      if (letter === '[' && letters[index + 1] === ':') index = endOfNamedClass(letters, index);
      else if (letter === ']' && !isFirst) {
        isClass = false;
        if (depth === 0) return index;
      }
    } else if (letter === '[') isClass = true;
    else if (letter === '(') depth++;
    else if (letter === ')' && --depth === 0) return index;
  }
  return letters.length;
}

/** '[:alpha:]' */
function endOfNamedClass(letters: readonly string[], open: number): number {
  const close = letters.indexOf(']', open + 2);
  return close === -1 ? letters.length : close;
}
