/**
 * Whether a file holds what is read elsewhere already: the copy that "copytruncate" rotation makes of a followed file.
 */
import { isNamedAfter } from './file-search.ts';
import type { OpenedFile } from './opened-file.ts';
import type { TailedFile } from './tailed-file.ts';

/** For a file beside `path`: 'later' where it can only be told at a later look. */
export async function copiedState(
  files: readonly TailedFile[],
  path: string,
  opened: OpenedFile,
): Promise<boolean | 'later'> {
  for (const file of files) {
    if (!file.isOpen || file.path !== path) continue;
    const isCopied = await file.isCopiedTo(opened);
    if (isCopied !== false) return isCopied;
  }
  return false;
}

/** Copies are made first, and the file is truncated later: in between, following the copy would read everything twice. */
export async function isCopyOfAny(files: readonly TailedFile[], opened: OpenedFile): Promise<boolean> {
  for (const file of files) {
    const isBeside = isNamedAfter(opened.path, file.path) && !opened.path.includes('/', file.path.length);
    if (file.isOpen && isBeside && (await file.isCopiedTo(opened)) !== false) return true;
  }
  return false;
}
