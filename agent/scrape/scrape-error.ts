/** A scrape that failed, in words for a person. Must not hold a secret. */
export class ScrapeError extends Error {
  readonly code = 'SONDE_SCRAPE';
  constructor(fact: string, options?: ErrorOptions) {
    super(fact, options);
    this.name = 'ScrapeError';
  }
}
