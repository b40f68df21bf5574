/**
 * Reads how many bytes of log a container may write in a second.
 *
 *   1MiB/s -> 1048576   500KB -> 500000   0 -> 0, no limit
 */

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1000,
  m: 1000 ** 2,
  mb: 1000 ** 2,
  g: 1000 ** 3,
  gb: 1000 ** 3,
  ki: 1024,
  kib: 1024,
  mi: 1024 ** 2,
  mib: 1024 ** 2,
  gi: 1024 ** 3,
  gib: 1024 ** 3,
};

/** Returns whole bytes a second; undefined for what is no rate. Units are decimal or, with an `i`, binary; `/s` may follow. */
export function parseByteRate(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})(?:\/s)?$/i.exec(text.trim());
  const unit = match === null ? undefined : unitBytes[match[2]!.toLowerCase()];
  if (match === null || unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  // Less than a byte a second is a mistake that would look like no limit.
  return Number.isSafeInteger(bytes) && (bytes > 0 || Number(match[1]) === 0) ? bytes : undefined;
}
