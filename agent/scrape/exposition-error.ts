/** A metrics page that breaks its format: where, and what was expected there. The whole page is refused. */
export class ExpositionError extends Error {
  readonly code = 'SONDE_EXPOSITION';
  readonly fact: string;
  /** Counted from 1: lines, or metric families of a protobuf page. */
  readonly line: number;
  constructor(fact: string, line: number, unit = 'line', options?: ErrorOptions) {
    super(`${unit} ${line}: ${fact}`, options);
    this.name = 'ExpositionError';
    this.fact = fact;
    this.line = line;
  }
}

const newline = 10;

/** Throws ExpositionError for the line that holds byte `position` of the page. */
export function failAt(page: Uint8Array, position: number, fact: string): never {
  let line = 1;
  const end = Math.min(position, page.length);
  for (let at = 0; at < end; at++) if (page[at] === newline) line++;
  throw new ExpositionError(fact, line);
}
