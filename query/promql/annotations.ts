/** Warnings and infos that come with an answer, in Prometheus's words, each once. */
import { lineColumn } from '../language/text-position.ts';

/** Prometheus shows at most so many of each kind. */
const shownMax = 10;

export class Annotations {
  readonly #text: string;
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();

  constructor(queryText: string) {
    this.#text = queryText;
  }

  warn(fact: string, range: { readonly start: number }): void {
    this.#warnings.add(`PromQL warning: ${fact} (${this.#position(range.start)})`);
  }

  inform(fact: string, range: { readonly start: number }): void {
    this.#infos.add(`PromQL info: ${fact} (${this.#position(range.start)})`);
  }

  get warnings(): string[] {
    return shown(this.#warnings, 'warning');
  }

  get infos(): string[] {
    return shown(this.#infos, 'info');
  }

  #position(start: number): string {
    const { line, column } = lineColumn(this.#text, start);
    return `${line}:${column}`;
  }
}

function shown(texts: ReadonlySet<string>, kind: string): string[] {
  const all = [...texts];
  if (all.length <= shownMax) return all;
  return [...all.slice(0, shownMax), `${all.length - shownMax} more ${kind} annotations omitted`];
}
