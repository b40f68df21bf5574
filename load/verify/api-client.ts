/** Asks the query API, patiently: a store that is busy or restarts is asked again, what is refused is an error. */
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '#model/errors.ts';
import { Backoff } from '#wire/backoff.ts';

const timeoutMs = 120_000;
const triesMax = 8;
/** A page of long lines fits; nothing that is larger is kept in memory. */
const answerBytesMax = 256 * 1024 * 1024;

export class ApiClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(base: string, headers: Readonly<Record<string, string>>) {
    this.#base = base;
    this.#headers = headers;
  }

  /** Returns the answer's JSON; undefined for 404. Rejects with what the API says, or with the last network error. */
  async json<Answer>(path: string, query: Readonly<Record<string, string>>): Promise<Answer | undefined> {
    const url = `${this.#base}${path}?${new URLSearchParams(query)}`;
    const backoff = new Backoff({ firstMs: 200, maxMs: 5000 });
    for (let attempt = 1; ; attempt++) {
      try {
        const { status, text } = await this.#get(url);
        if (status === 200) return JSON.parse(text) as Answer;
        if (status === 404) return undefined;
        throw new AnswerError(`${path} answered ${status}: ${text.slice(0, 500)}`, status);
      } catch (error) {
        const isFinal = error instanceof AnswerError && error.status < 500 && error.status !== 429;
        if (isFinal || attempt === triesMax) throw error;
        await delay(backoff.nextMs());
      }
    }
  }

  async #get(url: string): Promise<{ status: number; text: string }> {
    let response: Response;
    try {
      response = await fetch(url, {
        headers: { ...this.#headers, accept: 'application/json' },
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      throw new Error(`cannot ask ${this.#base}: ${errorMessage(error)}${cause}`, { cause: error });
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > answerBytesMax) {
        throw new AnswerError(`an answer is over ${answerBytesMax} bytes: lower --page-lines`, 400);
      }
      chunks.push(chunk);
    }
    return { status: response.status, text: Buffer.concat(chunks).toString() };
  }
}

/** The API has answered, and not with what was asked for. */
class AnswerError extends Error {
  readonly status: number;
  constructor(fact: string, status: number) {
    super(fact);
    this.status = status;
  }
}
