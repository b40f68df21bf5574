/** How both engines write a read: the format, and for a tenant's read the engine's own word that it is one. */
export type SelectFormat = 'Native' | 'JSONEachRow';

/**
 * `readonly` stands in the text because a session that is read-only could never change its settings again. With it the
 * engine refuses writes, files and remote tables.
 */
export function selectText(sql: string, format: SelectFormat, tenant: string | undefined): string {
  return `${sql}\nFORMAT ${format}${tenant === undefined ? '' : ' SETTINGS readonly = 1'}`;
}

/** Reads JSONEachRow: one object a line. */
export function parseRows<Row>(bytes: Uint8Array): Row[] {
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Row);
}
