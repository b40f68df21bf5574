/** Texts of files that somebody replaces now and then (certificates, passwords): read again when the file has changed. */
import { open } from 'node:fs/promises';
import { errorMessage } from '#model/errors.ts';
import { ScrapeError } from '../scrape-error.ts';

/** A bundle of all public authorities has a quarter of it. */
const fileBytesMax = 1024 * 1024;
const filesMax = 10_000;

interface KnownText {
  readonly version: string;
  readonly text: string;
}

export class FileTexts {
  readonly #known = new Map<string, KnownText>();

  /** Returns the file's text. Throws ScrapeError that names the file. */
  async read(path: string): Promise<string> {
    try {
      await using file = await open(path);
      const { mtimeNs, ctimeNs, size, ino } = await file.stat({ bigint: true });
      const version = `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
      const known = this.#known.get(path);
      if (known?.version === version) return known.text;
      if (size > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`);
      const text = await file.readFile('utf8');
      if (this.#known.size >= filesMax) this.#known.clear();
      this.#known.set(path, { version, text });
      return text;
    } catch (error) {
      throw new ScrapeError(`the file ${path} could not be read: ${errorMessage(error)}`, { cause: error });
    }
  }

  /** Returns `text` where it is set, else that of the file; undefined where neither is. */
  async textOrFile(text: string | undefined, path: string | undefined): Promise<string | undefined> {
    if (text !== undefined) return text;
    return path === undefined ? undefined : await this.read(path);
  }

  /** As textOrFile, for passwords and tokens: a file's line end is none of it. */
  async secret(text: string | undefined, path: string | undefined): Promise<string | undefined> {
    return text ?? (path === undefined ? undefined : (await this.read(path)).trim());
  }
}
