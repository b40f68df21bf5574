/**
 * Chooses labels and annotations by their names: globs in which `*` stands for any text, dots and slashes included, and
 * a leading `!` takes out what follows.
 *
 *   ['app.*', '!app.internal*']  ->  app.name yes, app.internal.hash no, tier no
 */

/** Returns the test. A name is chosen when one glob matches it and none with `!` does. */
export function compileNameGlobs(globs: readonly string[]): (name: string) => boolean {
  const chosen = globs.filter((glob) => !glob.startsWith('!')).map((glob) => glob.split('*'));
  const excluded = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1).split('*'));
  return (name) =>
    chosen.some((parts) => matchesParts(name, parts)) && !excluded.some((parts) => matchesParts(name, parts));
}

/** `parts` is what stands between the stars. Each is looked for once, from the left: no backtracking. */
function matchesParts(name: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return name === first;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  const end = name.length - last.length;
  let position = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
