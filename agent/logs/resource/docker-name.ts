/**
 * The name that a person gave a docker container, from the configuration that docker keeps beside its log.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Real ones have a few KiB: a larger file is not docker's. */
const configBytesMax = 1024 * 1024;

/** Returns the name without its slash; undefined where docker left none that can be read. Never rejects. */
export async function readDockerName(logPath: string): Promise<string | undefined> {
  const path = join(dirname(logPath), 'config.v2.json');
  try {
    if ((await stat(path)).size > configBytesMax) return undefined;
    const config: unknown = JSON.parse(await readFile(path, 'utf8'));
    const name = (config as { Name?: unknown } | null)?.Name;
    return typeof name === 'string' && name.length > 1 ? name.replace(/^\//, '') : undefined;
  } catch {
    // No such file, or not docker's: the container goes by its id.
    return undefined;
  }
}
