/** A mistake in a query's text: the language's own words, and where. Positions are UTF-16 offsets in the query. */
export class ParseError extends Error {
  readonly code = 'SONDE_PARSE';
  readonly start: number;
  readonly end: number;
  /** `message` is the whole text that the original server answers, position included where it includes one. */
  constructor(message: string, start: number, end: number) {
    super(message);
    this.name = 'ParseError';
    this.start = start;
    this.end = end;
  }
}
