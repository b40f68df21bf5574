/**
 * One look at all files that are to be followed: by identity, with the first path that names each.
 */
import { statInside } from '../../containers/inside-file.ts';
import type { Problem } from '../loss-ledger.ts';
import { DirectoryListings } from './directory-listings.ts';
import { describeAccessError, expandGlob } from './file-glob.ts';
import { resolveLink } from './file-search.ts';
import type { LogSource } from './log-source.ts';
import { fileKey, type OpenedFile, statIdentity } from './opened-file.ts';

export interface SurveyedFile {
  readonly path: string;
  readonly source: LogSource;
}

export class PathSurvey {
  readonly #listings = new DirectoryListings();

  /** Returns every regular file that a source names now, by identity; the first source wins where links give a file several. */
  async look(sources: readonly LogSource[], problems: Problem[]): Promise<Map<string, SurveyedFile>> {
    this.#listings.begin();
    const files = new Map<string, SurveyedFile>();
    for (const source of sources) {
      const { found, problems: unread } = await expandGlob(source.glob, this.#listings);
      problems.push(...unread);
      for (const { path, directory, entry } of found) {
        try {
          const key = this.#listings.identify(directory, entry);
          if (key !== undefined && !files.has(key)) files.set(key, { path, source });
        } catch (error) {
          problems.push({ path, message: describeAccessError('cannot look at the log file', error) });
        }
      }
    }
    return files;
  }
}

/** False where links lead from the file's path out of `base` (see LogSource), or did while it was opened. */
export async function isInBase(opened: OpenedFile, base: string | undefined): Promise<boolean> {
  if (base === undefined) return true;
  // What rotation left is found by its real path, and links that lead to the base are the host's own.
  const inside =
    (await statInside(base, opened.path)) ?? (await statInside(await resolveLink(base), opened.path));
  return inside !== undefined && fileKey(statIdentity(inside)) === fileKey(opened);
}
