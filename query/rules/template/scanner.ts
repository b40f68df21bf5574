/**
 * Cuts a template into texts and actions, and an action into tokens.
 *
 *   'on {{ $labels.pod }}'  ->  text "on ", action [variable "$labels.pod"]
 *
 * Trim marks ({{- and -}}) and comments are resolved here. Positions are UTF-16 offsets in the template.
 */
import { scanQuoted, unquote } from '../../language/quoted-string.ts';

/** What is not allowed in a template, and where: told to the person who posts the rule. */
export class TemplateError extends Error {
  readonly code = 'SONDE_TEMPLATE';
  readonly position: number;
  constructor(fact: string, position: number) {
    super(`${fact}, at character ${position + 1} of the template`);
    this.name = 'TemplateError';
    this.position = position;
  }
}

export interface TemplateToken {
  readonly kind: 'variable' | 'field' | 'word' | 'string' | 'number' | '|' | '(' | ')' | 'end';
  /** As written; what a string says, for a string. */
  readonly text: string;
  readonly position: number;
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly TemplateToken[] };

/** Returns the parts in order. Throws TemplateError on an action that is not closed or has a strange character. */
export function scanTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let position = 0;
  let trimsNext = false;
  for (;;) {
    const open = text.indexOf('{{', position);
    let plain = text.slice(position, open === -1 ? text.length : open);
    if (trimsNext) plain = plain.trimStart();
    if (open === -1) {
      if (plain !== '') parts.push({ kind: 'text', text: plain });
      return parts;
    }
    const trimsBefore = /^\{\{-\s/.test(text.slice(open, open + 4));
    if (trimsBefore) plain = plain.trimEnd();
    if (plain !== '') parts.push({ kind: 'text', text: plain });
    const action = scanAction(text, open, open + (trimsBefore ? 3 : 2));
    if (action.tokens !== undefined) parts.push({ kind: 'action', tokens: action.tokens });
    position = action.end;
    trimsNext = action.trimsAfter;
  }
}

interface ScannedAction {
  /** Undefined for a comment. */
  readonly tokens: readonly TemplateToken[] | undefined;
  readonly end: number;
  readonly trimsAfter: boolean;
}

const closePattern = /(?:\s-)?\}\}/y;

function scanAction(text: string, open: number, start: number): ScannedAction {
  const comment = /\s?\/\*/y;
  comment.lastIndex = start;
  if (comment.test(text)) return scanComment(text, open, comment.lastIndex);
  const tokens: TemplateToken[] = [];
  let position = start;
  for (;;) {
    closePattern.lastIndex = position;
    const close = closePattern.exec(text);
    if (close !== null) {
      tokens.push({ kind: 'end', text: '', position });
      return { tokens, end: closePattern.lastIndex, trimsAfter: close[0].length > 2 };
    }
    if (position >= text.length) throw new TemplateError('"{{" is not closed by "}}"', open);
    if (/\s/.test(text[position])) {
      position++;
      continue;
    }
    const token = scanToken(text, position);
    tokens.push(token.token);
    position = token.end;
  }
}

function scanComment(text: string, open: number, start: number): ScannedAction {
  const end = text.indexOf('*/', start);
  if (end === -1) throw new TemplateError('the comment is not closed by "*/"', open);
  closePattern.lastIndex = end + 2;
  const close = closePattern.exec(text);
  if (close === null) throw new TemplateError('a comment must end the action: expected "}}"', end + 2);
  return { tokens: undefined, end: closePattern.lastIndex, trimsAfter: close[0].length > 2 };
}

const tokenPatterns = [
  ['variable', /\$[\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*/uy],
  ['field', /\.(?:[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)?/uy],
  ['number', /[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
] as const;

function scanToken(text: string, position: number): { token: TemplateToken; end: number } {
  const char = text[position];
  if (char === '|' || char === '(' || char === ')') {
    return { token: { kind: char, text: char, position }, end: position + 1 };
  }
  if (char === '"' || char === '`') return scanString(text, position);
  // A number may begin with a dot: ".5" is none of a field's letters.
  const order = /^\.\d/.test(text.slice(position, position + 2)) ? [tokenPatterns[2]] : tokenPatterns;
  for (const [kind, pattern] of order) {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match === null) continue;
    return { token: { kind, text: match[0], position }, end: pattern.lastIndex };
  }
  throw new TemplateError(`unexpected ${JSON.stringify(char)}`, position);
}

function scanString(text: string, position: number): { token: TemplateToken; end: number } {
  const scanned = scanQuoted(text, position);
  if (scanned.end === undefined) {
    throw new TemplateError(scanned.mistake ?? 'the string is not closed', position);
  }
  const token = text.slice(position, scanned.end);
  return { token: { kind: 'string', text: unquote(token), position }, end: scanned.end };
}
