/**
 * Where in a query's text something stands, as people and the original servers say it.
 *
 *   lineColumn('é\nab(', 4)  ->  { line: 2, column: 3 }
 */

/** Both from 1; the column counts UTF-8 bytes, as Go programs do. Offsets beyond the text count as its end. */
export function lineColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let i = before.indexOf('\n'); i !== -1; i = before.indexOf('\n', i + 1)) line++;
  return { line, column: Buffer.byteLength(before.slice(lineStart), 'utf8') + 1 };
}
